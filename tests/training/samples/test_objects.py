"""Objects of other colours, artists' strokes, and what a painter sees of a model's hints."""

import numpy as np
import pytest
import torch
from colorize_server import contract
from colorize_training.config import HintConfig
from colorize_training.data.shards import Picture
from colorize_training.measure.evaluation import Scene
from colorize_training.measure.painter import evaluate_painter, palette_hits
from colorize_training.samples.hints import draw_strokes, stroke_mask
from colorize_training.samples.objects import object_mask, recolour_objects


def _coat_before_a_wall():
    """A dark blue square before a light brown wall: (H, W) L* and (2, H, W) network chroma."""
    lightness = np.full((96, 96), 70, np.float32)
    chroma = np.empty((2, 96, 96), np.float32)
    chroma[0], chroma[1] = 0.1, 0.2
    lightness[30:66, 30:66] = 30
    chroma[:, 30:66, 30:66] = np.array([0.05, -0.3])[:, None, None]
    return lightness, chroma


def test_an_object_ends_at_its_edge():
    lightness, chroma = _coat_before_a_wall()
    lab = np.ascontiguousarray(np.dstack([lightness, *(chroma * 110)]), np.float32)
    mask = object_mask(lab, 48, 48, 8.0)
    assert mask[34:62, 34:62].all()
    assert not mask[:27].any()


def test_only_the_object_is_recoloured_and_its_dabs_name_its_new_colour():
    lightness, chroma = _coat_before_a_wall()
    changed = 0
    for seed in range(30):
        truth, hints = recolour_objects(lightness, chroma, np.random.default_rng(seed))
        moved = np.abs(truth - chroma).max(axis=0)
        assert (moved[lightness == 70].max() < 0.02) or (moved[45:50, 45:50].max() < 1e-6) or (hints[2] > 0).any()
        painted = hints[2] > 0
        assert painted.any() == (moved > 0.01).any() or not painted.any() or moved.max() < 0.1
        for y, x in zip(*np.nonzero(painted & (moved > 0.05)), strict=True):
            if moved[max(0, y - 8) : y + 9, max(0, x - 8) : x + 9].min() > 0.05:  # well inside
                assert hints[:2, y, x] == pytest.approx(truth[:, y, x], abs=0.02)
                changed += 1
    assert changed > 50


def test_a_stroke_stays_within_one_colour():
    _, chroma = _coat_before_a_wall()
    stroke = stroke_mask(chroma, 48, 48, 40.0)
    assert stroke[30:66, 30:66].all()
    assert stroke.sum() == 36 * 36


def test_strokes_are_few_broad_and_of_true_colours():
    _, chroma = _coat_before_a_wall()
    config = HintConfig(share=1.0, strokes=1.0, far_places=0.5)
    areas, soft = [], 0
    for seed in range(60):
        hints = draw_strokes(chroma, np.random.default_rng(seed), config)
        inside = hints[2] > 0.9
        areas.append(int(inside.sum()))
        soft += ((hints[2] > 0) & (hints[2] < 0.2)).any()
        colours = hints[:2, hints[2] > 0]
        distances = [np.abs(colours - colour[:, None]).max(axis=0) for colour in (chroma[:, 0, 0], chroma[:, 48, 48])]
        assert (np.minimum(*distances) < 1e-4).all()
    assert max(areas) > 150
    assert 5 < soft < 55


def test_places_far_from_the_mean_colour_are_chosen_more_often():
    chroma = np.zeros((2, 64, 64), np.float32)
    chroma[:, 8:16, 8:16] = 0.5

    def share(far: float) -> float:
        config = HintConfig(share=1.0, strokes=1.0, far_places=far)
        drawn = [draw_strokes(chroma, np.random.default_rng(seed), config) for seed in range(60)]
        return float(np.mean([(h[0] > 0.4).any() for h in drawn]))

    assert share(1.0) > 0.9
    assert share(0.0) < 0.4


class _Flooding:
    """A model that gives one colour, and tints all of it with the mean hint if it floods."""

    multiple_of, pictures_seen = 32, 0

    def __init__(self, is_flooding: bool) -> None:
        self.is_flooding = is_flooding

    def __call__(self, luminance: torch.Tensor, hints: torch.Tensor):
        chroma = torch.zeros_like(hints[:, :2])
        chroma[:, 0] = 0.2
        covered = hints[:, 2:].sum(dim=(2, 3), keepdim=True)
        if self.is_flooding and covered.any():
            chroma = chroma * 0 + (hints[:, :2] * hints[:, 2:]).sum(dim=(2, 3), keepdim=True) / covered
        return chroma, torch.zeros_like(hints[:, 2:])


class _Suggesting(_Flooding):
    """Its sixth suggestion is the truth of every place; the others are far from it."""

    def colours(self, luminance: torch.Tensor, hints: torch.Tensor):
        height, width = (side // 8 for side in luminance.shape[-2:])
        found = torch.full((1, 7, 3, height, width), 0.9)
        found[:, 5, 0], found[:, 5, 1] = 0.2, 0.0
        return found


def test_the_palettes_hits_are_counted_by_its_length():
    lab = torch.zeros(3, 160, 160)
    lab[1] = 0.2 * contract.CHROMA_SCALE + 6
    lab[2, :80] = 20  # the upper half is not among the suggestions
    scene = Scene(
        Picture("a", "a", "people", "a", "CC0-1.0", 160, 160, 20.0, 1), np.zeros((160, 160, 3), np.uint8), lab
    )
    found = palette_hits(_Suggesting(False), [scene])
    assert found["true colour within 10 of one of 5"].value == 0
    assert found["true colour within 10 of one of 7"].value == pytest.approx(0.5)
    assert palette_hits(_Flooding(False), [scene]) == {}


def test_a_flooding_model_turns_what_is_far_and_a_local_one_does_not():
    lab = torch.zeros(3, 160, 160)
    lab[0], lab[1] = 50, 0.2 * contract.CHROMA_SCALE
    lab[1:, :20, :20] = -20
    scene = Scene(
        Picture("a", "a", "people", "a", "CC0-1.0", 160, 160, 20.0, 1), np.zeros((160, 160, 3), np.uint8), lab
    )
    local, flooding = (evaluate_painter(_Flooding(is_flooding), [scene]) for is_flooding in (False, True))
    assert local["far turn by a dab at 90 degrees"].value == pytest.approx(0, abs=0.01)
    assert flooding["far turn by a dab at 90 degrees"].value == pytest.approx(90, abs=0.5)
    assert flooding["far movement by it, a*b*"].value == pytest.approx(22 * 2**0.5, abs=0.5)
    assert local["share made worse by the first dab"].value == 0
    assert flooding["share made worse by the first dab"].value == 1
    assert local["CIEDE2000 after 1 strokes"].value < local["CIEDE2000 after 0 strokes"].value
