"""The distribution over a*b*: its targets, what is decoded from it, and that a network learns and keeps it."""

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from colorize_server import contract
from colorize_training.config import LossConfig, ModelConfig
from colorize_training.loop.losses import generator_losses
from colorize_training.models.export import CardFacts, export_generator
from colorize_training.models.onnx_weights import decoding_from_onnx, weights_from_onnx
from colorize_training.models.predictor import open_predictor
from colorize_training.networks.decoding import Decoded, Decoding
from colorize_training.networks.distribution import (
    BINS,
    annealed_mean,
    distribution_loss,
    expected_distance,
    suggestions,
    targets,
)
from colorize_training.networks.generator import build_generator, fold_batch_norms


def _plain(a: float, b: float, side: int = 16) -> torch.Tensor:
    return torch.tensor([a, b])[None, :, None, None].expand(1, 2, side, side)


def _logits(*likely: tuple[tuple[float, float], float]) -> torch.Tensor:
    """One cell whose shares are given by colour."""
    shares = torch.full((len(BINS),), 1e-9)
    for colour, share in likely:
        shares[torch.cdist(torch.tensor([colour]), BINS).argmin()] = share
    return shares.log()[None, :, None, None]


def test_the_bins_are_the_colours_of_srgb():
    assert 220 <= len(BINS) <= 330
    assert (BINS == 0).all(dim=1).any()
    assert not ((BINS[:, 0] == -100) & (BINS[:, 1] == -100)).any()


def test_targets_are_shares_whose_mean_is_the_colour():
    shares = targets(_plain(13.0, -7.0))
    assert shares.shape == (1, len(BINS), 2, 2)
    assert shares.sum(dim=1) == pytest.approx(torch.ones(1, 2, 2))
    assert torch.einsum("qc,nqhw->nchw", BINS, shares)[0, :, 0, 0].numpy() == pytest.approx([13, -7], abs=1e-3)


def test_a_cell_of_two_colours_has_two_shares():
    chroma = _plain(30.0, 0.0, 8).clone()
    chroma[..., 4:] = -30
    shares = targets(chroma)[0, :, 0, 0]
    assert shares[(torch.tensor([30.0, 0.0]) == BINS).all(dim=1)] == pytest.approx(0.5)


def test_the_loss_is_least_for_the_truth_and_counts_weights():
    true = _plain(20.0, 10.0)
    right, wrong = (_logits((colour, 1.0)).expand(-1, -1, 2, 2) for colour in ((20.0, 10.0), (-20.0, 10.0)))
    ones = torch.ones(1, 1, 16, 16)
    assert distribution_loss(right, true, ones) < 0.01
    assert distribution_loss(wrong, true, ones) > 5
    assert distribution_loss(wrong, true, ones * 3) == pytest.approx(3 * distribution_loss(wrong, true, ones))


def test_a_low_temperature_decides_where_the_mean_is_between():
    logits = _logits(((40.0, 0.0), 0.6), ((-40.0, 0.0), 0.4))
    mean, sharp = (annealed_mean(logits, t)[0, 0].item() * contract.CHROMA_SCALE for t in (1.0, 0.1))
    assert mean == pytest.approx(8, abs=0.1)
    assert sharp > 38


def test_the_expected_distance_is_the_root_of_the_mean_square():
    logits = _logits(((40.0, 0.0), 0.75), ((0.0, 30.0), 0.25))
    at_first, between = (
        expected_distance(logits, torch.tensor(at)[None, :, None, None] / contract.CHROMA_SCALE).item()
        for at in ((40.0, 0.0), (0.0, 0.0))
    )
    assert at_first * contract.CHROMA_SCALE == pytest.approx((0.25 * 50**2) ** 0.5, abs=0.1)
    assert between * contract.CHROMA_SCALE == pytest.approx((0.75 * 40**2 + 0.25 * 30**2) ** 0.5, abs=0.1)


def test_suggestions_are_apart_and_the_likeliest_comes_first():
    likely = (((40.0, 0.0), 0.5), ((40.0, 10.0), 0.06), ((40.0, -10.0), 0.04), ((-30.0, 20.0), 0.4))
    logits = _logits(*likely).repeat(1, 1, 2, 2)
    found = suggestions(logits)
    assert found.shape == (1, 7, 3, 2, 2)
    first = found[0, :, :, 0, 0]
    assert first[:2, 2].numpy() == pytest.approx([0.6, 0.4], abs=0.06)
    assert first[1, :2].numpy() * contract.CHROMA_SCALE == pytest.approx([-30, 20], abs=0.1)
    assert (torch.pdist(first[:4, :2]) * contract.CHROMA_SCALE > 7).all()  # none is there twice


def test_a_sure_colour_is_suggested_once():
    first = suggestions(_logits(((-30.0, 20.0), 1.0)).repeat(1, 1, 2, 2))[0, :, :, 0, 0]
    assert first[0, 2] > 0.99
    assert (first[1:, 2] < 1e-3).all()


def test_the_shares_of_suggestions_sum_to_at_most_one():
    logits = _logits(((20.0, 0.0), 0.3), ((30.0, 0.0), 0.35), ((40.0, 0.0), 0.35)).repeat(1, 1, 2, 4)
    found = suggestions(logits)
    assert found[:, :, 2].sum(dim=1).max() <= 1 + 1e-5
    assert found[0, 0, 2].min() > 0.5


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = build_generator(ModelConfig(encoder="lite0", pretrained=False, distribution=True)).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # equal biases would be one initialiser of the graph
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return network


def test_the_head_learns_with_the_rest(network):
    luminance, hints = torch.randn(2, 1, 64, 64), torch.zeros(2, 3, 64, 64)
    true = torch.full((2, 2, 64, 64), 0.2)
    chroma, doubt, logits = network(luminance, hints)
    terms = generator_losses(chroma, doubt, true, hints, LossConfig(), logits)
    terms["distribution"].backward()
    assert network.distribution_head.logits.weight.grad.abs().max() > 0
    assert network.blocks[1].layers[0].weight.grad.abs().max() > 0
    without = generator_losses(chroma, doubt, true, hints, replace(LossConfig(), distribution_weight=0.0), logits)
    assert without["distribution"] == 0


def test_the_exported_graph_decodes_and_its_weights_come_back_with_the_head(network, tmp_path):
    config = ModelConfig(encoder="lite0", pretrained=False, distribution=True)
    decoding = Decoding(gain=1.25, temperature=0.5, mean_share=0.25, calm_rounds=2)
    training = {"model": config.__dict__, "pictures_seen": 5}
    path = tmp_path / "head.onnx"
    export_generator(network, CardFacts("head", "1", (256,), 256, decoding=decoding, training=training), path)
    luminance = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 1, 64, 64)).astype(np.float32))
    hints = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        expected, expected_doubt = Decoded(network, decoding).eval()(luminance, hints)
        mean, *_ = network(luminance, hints)
    found, doubt = open_predictor(path)(luminance, hints)
    assert (found - expected).abs().max() < 2e-3
    assert (doubt - expected_doubt).abs().max() < 2e-3
    assert (found - mean).abs().max() > 1e-2
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {contract.INPUT_LUMINANCE: luminance.numpy(), contract.INPUT_HINTS: hints.numpy()}
    (colours,) = session.run([contract.OUTPUT_COLOURS], feeds)
    assert colours.shape == (1, contract.SUGGESTIONS, 3, 8, 8)
    with torch.inference_mode():
        wanted = suggestions(network(luminance, hints)[2])
    # Where two bins are equally likely the choice may fall on the other one: the first colour alone is compared.
    assert (np.abs(colours - wanted.numpy())[:, 0].max(axis=1) < 0.02).mean() > 0.9
    assert decoding_from_onnx(path) == decoding  # a model that goes on from here is read alike
    held, weights, _ = weights_from_onnx(path)
    again = build_generator(held)
    again.load_state_dict(weights)
    with torch.inference_mode():
        for one, other in zip(again(luminance, hints), fold_batch_norms(network)(luminance, hints), strict=True):
            assert (one - other).abs().max() < 2e-2
