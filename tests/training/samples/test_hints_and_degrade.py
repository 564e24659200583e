"""Simulated hints keep the model contract; degradations change lightness only, as their plans say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from colorize_training import color
from colorize_training.config import DataConfig, DegradeConfig, HintConfig, TrainConfig
from colorize_training.data.shards import read_manifest
from colorize_training.samples.dataset import SampleOrder, batch_indices
from colorize_training.samples.degrade import (
    EMULSIONS,
    Backdrop,
    DegradePlan,
    backdrop_masks,
    degrade,
    draw_emulsion,
    draw_plan,
    gaussian_blur,
)
from colorize_training.samples.faces import dark_faces, oversampled
from colorize_training.samples.hints import draw_hints, turn_hue, uniform_hints


def _chroma(seed=0, side=40):
    return np.random.default_rng(seed).uniform(-0.6, 0.6, (2, side, side)).astype(np.float32)


def test_half_of_the_samples_have_hints_of_true_colours():
    config = HintConfig(share=0.5)
    given = 0
    for seed in range(200):
        chroma = np.full((2, 40, 40), 0.25, np.float32)
        hints = draw_hints(chroma, np.random.default_rng(seed), config)
        painted = hints[2] > 0
        given += painted.any()
        assert hints.shape == (3, 40, 40)
        assert hints[2].min() >= 0
        assert hints[2].max() <= 1
        assert (hints[:2, ~painted] == 0).all()
        assert hints[:2, painted] == pytest.approx(0.25)
    assert 70 < given < 130


def test_coverage_is_sometimes_fractional():
    coverages = set()
    for seed in range(60):
        hints = draw_hints(_chroma(), np.random.default_rng(seed), HintConfig(share=1.0))
        coverages |= set(np.unique(hints[2]))
    assert any(0 < c < 1 for c in coverages)
    assert 1.0 in coverages


def test_strokes_end_where_the_truth_changes():
    chroma = np.full((2, 64, 64), 0.3, np.float32)
    chroma[:, :, 32:] = -0.3
    painted = wrong = 0
    for seed in range(120):
        hints = draw_hints(chroma, np.random.default_rng(seed), HintConfig(share=1.0))
        painted += (hints[2] > 0).sum()
        wrong += (hints[0] * chroma[0] < -0.03).sum()
    assert 0 < wrong / painted < 0.02  # a brush as wide as 9 px covers both sides; strokes across were 4 %


def test_uniform_hints_are_means_of_the_truth_and_nest():
    chroma = torch.from_numpy(_chroma(1))
    five, twenty = uniform_hints(chroma, 5, seed=7), uniform_hints(chroma, 20, seed=7)
    assert 9 * 3 < five[2].sum() <= 9 * 5
    assert (twenty[2] >= five[2]).all()
    assert uniform_hints(chroma, 0, seed=7).abs().sum() == 0
    y, x = (int(v[0]) for v in torch.where(uniform_hints(chroma, 1, seed=7)[2] > 0))
    expected = chroma[:, y : y + 3, x : x + 3].mean(dim=(1, 2))
    assert torch.allclose(uniform_hints(chroma, 1, seed=7)[:2, y, x], expected)


def test_a_turned_hue_keeps_chroma():
    chroma = torch.from_numpy(_chroma(2))
    turned = turn_hue(chroma, 1.0)
    assert torch.allclose(turned.norm(dim=0), chroma.norm(dim=0), atol=1e-6)
    assert torch.allclose(turn_hue(turned, -1.0), chroma, atol=1e-6)


def _linear(seed=0, n=1):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 1, (n, 3, 32, 32)).astype(np.float32))


def _degraded(linear, **settings):
    plans = [DegradePlan(**settings)] * len(linear)
    rngs = [np.random.default_rng(i) for i in range(len(linear))]
    return degrade(linear, plans, rngs, backdrop_masks(plans, 32, 32))


def test_no_degradation_is_cie_lightness():
    linear = _linear()
    assert torch.allclose(_degraded(linear), color.lab_from_linear(linear)[:, :1], atol=1e-3)


@pytest.mark.parametrize("name", list(EMULSIONS))
def test_emulsions_stay_in_their_ranges_and_keep_white(name):
    low, high = np.array(EMULSIONS[name]).T
    for seed in range(100):
        weights = draw_emulsion(np.random.default_rng(seed), name)
        assert weights.sum() == pytest.approx(1)
        assert (weights >= low).all()
        assert (weights <= high).all()
    for seed in range(3):
        weights = draw_emulsion(np.random.default_rng(seed), name)
        white = _degraded(torch.ones(1, 3, 32, 32), weights=weights)
        assert white.numpy() == pytest.approx(100, abs=1e-3)
    dark_red = _degraded(torch.tensor([0.5, 0.02, 0.02])[None, :, None, None].expand(1, 3, 32, 32), weights=weights)
    plain = _degraded(torch.tensor([0.5, 0.02, 0.02])[None, :, None, None].expand(1, 3, 32, 32))
    if name != "panchromatic":  # red lips and uniforms come out dark on early plates
        assert dark_red.mean() < plain.mean()


@pytest.mark.parametrize(
    "settings",
    [
        {"gamma": 1.3},
        {"blur_sigma": 1.5},
        {"grain": 3.0},
        {"black": 20.0, "white": 80.0},
        {"vignette": 0.5},
        {"jpeg_quality": 30},
        {"halftone": 8.0},
        {"damage_seed": 5},
        {"backdrop": Backdrop(60.0, 0.4, 0.5, 20.0, -10.0)},
    ],
    ids=lambda s: next(iter(s)),
)
def test_each_degradation_changes_the_lightness_and_stays_in_range(settings):
    linear = _linear(3)
    clean, found = _degraded(linear), _degraded(linear, **settings)
    assert (found - clean).abs().max() > 1
    assert found.min() >= 0
    assert found.max() <= 100
    assert torch.equal(found, _degraded(linear, **settings))  # the seed decides, nothing else


def test_fading_maps_black_and_white_to_its_ends():
    ends = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    found = _degraded(ends, black=20.0, white=80.0)
    assert found[0].mean() == pytest.approx(20, abs=1e-3)
    assert found[1].mean() == pytest.approx(80, abs=1e-3)


def test_grain_has_the_asked_strength():
    grey = torch.full((1, 3, 32, 32), 0.2)
    assert _degraded(grey, grain=3.0).std() == pytest.approx(3.0, rel=0.05)


def test_blur_keeps_the_mean_and_touches_only_the_chosen():
    planes = _linear(5, n=2)
    blurred = gaussian_blur(planes, [0.0, 2.0])
    assert torch.equal(blurred[0], planes[0])
    assert blurred[1].mean() == pytest.approx(float(planes[1].mean()), abs=0.02)
    assert blurred[1].std() < 0.5 * planes[1].std()


def test_a_blur_does_not_depend_on_the_other_pictures_of_its_batch():
    """Which other ones there are differs with the number of processes."""
    planes = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0)) * 100
    together = gaussian_blur(planes, [0.7, 1.0, 2.2])
    for index, sigma in enumerate((0.7, 1.0, 2.2)):
        alone = gaussian_blur(planes[index : index + 1], [sigma])
        assert (alone[0] - together[index]).abs().max() < 1e-4


def test_each_degradation_can_be_switched_off():
    off = DegradeConfig(**dict.fromkeys(DegradeConfig.__dataclass_fields__, 0.0))
    for seed in range(30):
        plan = draw_plan(np.random.default_rng(seed), off)
        default = DegradePlan()
        assert np.allclose(plan.weights, default.weights)
        assert {k: v for k, v in plan.__dict__.items() if k != "weights"} == {
            k: v for k, v in default.__dict__.items() if k != "weights"
        }


def test_the_sheet_shows_each_augmentation_of_the_configuration_by_name(shards):
    from colorize_training.measure.preview import degradation_rows, named_sheet

    def rows(degrade, **data):
        config = TrainConfig(degrade=degrade, data=replace(DataConfig(has_splits=False), **data))
        return degradation_rows(shards, read_manifest(shards), config, count=2)

    usual = rows(DegradeConfig())
    other = rows(DegradeConfig(blur=0.0, blur_sigma_max=9.0, jpeg=0.5), enlarge_max=1.5, aspect_jitter=0.3)
    names = [name for name, _ in usual]
    told = ["panchromatic", "orthochromatic", "blue-sensitive", "tone", "blur", "grain", "fade", "vignette", "jpeg"]
    told += ["halftone", "damage", "backdrop", "enlargement", "aspect jitter"]
    assert all(any(name.startswith(word) for name in names) for word in told)
    assert {"blur, 25% of samples", "enlargement, up to 2 times", "aspect jitter, up to 15%"} <= set(names)
    changed = [n for (n, row), (_, old) in zip(other, usual, strict=True) if not np.array_equal(row, old)]
    assert changed == ["blur, off", "enlargement, up to 1.5 times", "aspect jitter, up to 30%"]
    assert "jpeg, 50% of samples" in [name for name, _ in other]
    photographs, clean, *shown = [row for _, row in usual]
    assert all(not np.array_equal(row[0], plain[0]) for row in shown for plain in (photographs, clean))
    # As a crop of half the side is enlarged to the whole: its middle is the middle of the photograph.
    enlarged = dict(usual)["enlargement, up to 2 times"][0]
    assert np.abs(enlarged[128:136, 128:136].mean((0, 1)) - photographs[0][128:132, 128:132].mean((0, 1))).max() < 12
    sheet = np.asarray(named_sheet(usual))
    assert len(sheet) == len(usual) * (256 + 24)
    assert all(sheet[280 * i : 280 * i + 20].min() < 128 for i in range(len(usual)))  # a name above each row


def test_the_sample_order_visits_every_picture_once_an_epoch():
    order = SampleOrder(list("abcdef"), list("xy"), people_share=0.25, seed=1)
    for epoch in range(3):
        assert sorted(order[i] for i in range(8 * epoch, 8 * epoch + 8)) == sorted("abcdefxy")


def test_processes_share_consecutive_samples():
    assert batch_indices(12, 4) == [12, 13, 14, 15]
    assert batch_indices(12, 2, rank=0) + batch_indices(12, 2, rank=1) == [12, 13, 14, 15]


def test_dark_faces_are_found_by_their_cheeks_and_drawn_more_often():
    from types import SimpleNamespace

    from PIL import Image

    faces = [SimpleNamespace(key=f"utk_{i}", level=40 + 20 * i) for i in range(9)]
    others = [SimpleNamespace(key=f"p{i}", level=0) for i in range(81)]

    class Store:
        def open(self, picture):
            image = Image.new("RGB", (100, 100), "white")
            image.paste((picture.level,) * 3, (15, 45, 90, 75))
            return image

    dark = dark_faces(Store(), [*others, *faces])
    assert [p.key for p in dark] == ["utk_0", "utk_1", "utk_2"]
    people = [*others, *faces]
    drawn = oversampled(people, dark, 0.25)
    assert sum(p.key in ("utk_0", "utk_1", "utk_2") for p in drawn) / len(drawn) == pytest.approx(0.25, abs=0.01)
    assert all(p in drawn for p in people)
    assert oversampled(people, dark, 0.0) == oversampled(people, [], 0.5) == people
