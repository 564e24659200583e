"""What is read from a generator: the distribution decides, regions are calm, the doubt knows the spread."""

import pytest
import torch
from colorize_server import contract
from colorize_training.networks.decoding import Decoded, Decoding, calmed, doubt_with_spread, joined, with_leftovers
from colorize_training.networks.distribution import BINS

SIDE = 64


def _sure_of(colour: tuple[float, float], cells: int = SIDE // 8) -> torch.Tensor:
    """Logits of one colour everywhere."""
    logits = torch.full((1, len(BINS), cells, cells), -40.0)
    logits[:, torch.cdist(torch.tensor([colour]), BINS).argmin()] = 0.0
    return logits


def _halves(left: float, right: float) -> torch.Tensor:
    plane = torch.full((1, 1, SIDE, SIDE), left)
    plane[..., SIDE // 2 :] = right
    return plane


def _a(chroma: torch.Tensor, column: int) -> float:
    return chroma[0, 0, SIDE // 2, column].item() * contract.CHROMA_SCALE


def test_joining_keeps_the_detail_of_the_mean():
    mean = torch.zeros(1, 2, SIDE, SIDE)
    mean[:, :, ::2] = 0.1
    given = joined(mean, _sure_of((50.0, 0.0)), 1.0, 0.0)
    assert given[0, 0].mean() * contract.CHROMA_SCALE == pytest.approx(50, abs=0.1)
    assert (given[0, 0, 0] - given[0, 0, 1]).numpy() == pytest.approx(0.1)
    assert torch.equal(joined(mean, _sure_of((50.0, 0.0)), 1.0, 1.0), mean)


def test_patches_within_one_region_are_calmed():
    wave = torch.sin(torch.arange(SIDE) * (2 * torch.pi / 32))  # a patch of 16 px and its opposite, over and over
    patches = torch.zeros(1, 2, SIDE, SIDE)
    patches[:, 0] = (10 + 4 * wave) / contract.CHROMA_SCALE
    given = calmed(patches, torch.zeros(1, 1, SIDE, SIDE), 3)
    assert given[:, 0].std() < 0.6 * patches[:, 0].std()
    assert given.mean() == pytest.approx(patches.mean().item(), abs=0.01)
    assert (given[:, 1] == 0).all()


def test_an_edge_of_lightness_or_of_colour_stays():
    lightness = _halves(-0.5, 0.5)
    likeness = _halves(0.0, 8.0) / contract.CHROMA_SCALE
    two_things = torch.cat([likeness, torch.zeros_like(likeness)], dim=1)
    across = calmed(two_things, lightness, 3)
    assert _a(across, 40) - _a(across, 23) > 7.5  # a coat and a wall of nearly its colour
    assert _a(calmed(two_things, torch.zeros_like(lightness), 3), 40) < 7.5  # one thing
    red_and_grey = two_things * 5
    kept = calmed(red_and_grey, torch.zeros_like(lightness), 3)
    assert _a(kept, 40) - _a(kept, 23) > 39


def test_calming_keeps_texture_and_no_round_changes_nothing():
    chroma = torch.zeros(1, 2, SIDE, SIDE)
    chroma[..., ::2] = 0.05
    flat = torch.zeros(1, 1, SIDE, SIDE)
    assert calmed(chroma, flat, 3) == pytest.approx(chroma, abs=1e-6)
    assert calmed(chroma, flat, 0) is chroma


def _one_hint(a: float, row: int, column: int) -> torch.Tensor:
    hints = torch.zeros(1, 3, SIDE, SIDE)
    hints[:, 0, row - 1 : row + 2, column - 1 : column + 2] = a / contract.CHROMA_SCALE
    hints[:, 2, row - 1 : row + 2, column - 1 : column + 2] = 1
    return hints


def test_what_a_hint_left_over_reaches_places_like_it_and_no_others():
    lightness = _halves(-0.5, 0.5)
    chroma = torch.zeros(1, 2, SIDE, SIDE)
    change = with_leftovers(chroma, lightness, _one_hint(20.0, 40, 24)) - chroma
    assert change[0, 0, 40, 24].item() * contract.CHROMA_SCALE == pytest.approx(
        20 / 1.2, abs=0.5
    )  # "the network is right" weighs 0.2
    assert _a(change, 2) > 10
    assert abs(_a(change, 56)) < 0.1  # another lightness
    assert (change[:, 1].abs() < 1e-6).all()


def test_no_hint_and_a_hint_that_was_followed_leave_nothing_over():
    lightness = _halves(-0.5, 0.5)
    chroma = torch.rand(1, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 0.1
    assert torch.equal(with_leftovers(chroma, lightness, torch.zeros(1, 3, SIDE, SIDE)), chroma)
    plain = torch.zeros(1, 2, SIDE, SIDE)
    plain[:, 0] = 20 / contract.CHROMA_SCALE
    assert with_leftovers(plain, lightness, _one_hint(20.0, 40, 24)) == pytest.approx(plain, abs=1e-6)


def test_the_doubt_is_the_geometric_mean_of_head_and_spread():
    head = torch.full((1, 1, SIDE, SIDE), 0.1)
    colour = torch.zeros(1, 2, SIDE, SIDE)
    sure_elsewhere = doubt_with_spread(head, _sure_of((40.0, 0.0)), colour)
    assert sure_elsewhere.numpy() == pytest.approx((0.1 * 40 / contract.CHROMA_SCALE) ** 0.5, rel=1e-3)
    assert (doubt_with_spread(head, _sure_of((0.0, 0.0)), colour) < 1e-3).all()


def test_a_generator_without_a_distribution_is_given_as_it_is():
    def generator(luminance, hints):
        return hints[:, :2] + 0.2, luminance + 1

    luminance, hints = torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, 3, SIDE, SIDE)
    hints[:, :2] = 0.3
    module = torch.nn.Module()
    module.forward = generator
    chroma, doubt = Decoded(module, Decoding(gain=1.5))(luminance, hints)
    assert chroma.numpy() == pytest.approx(0.3 + 0.3)  # what was painted comes back, the rest is louder
    assert (doubt == 1).all()
