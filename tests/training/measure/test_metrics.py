"""Measures: invariants, known values, and that the known cheats (grey, loud, blotchy) are seen."""

import numpy as np
import pytest
import scipy.stats
import torch
from colorize_training.measure import metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

chroma_maps = hnp.arrays(
    np.float32, (2, 6, 7), elements=st.floats(-90, 90, width=32).map(lambda v: 0.0 if abs(v) < 1e-3 else v)
)


@given(chroma_maps, st.floats(0.1, 5))
@settings(max_examples=50, deadline=None)
def test_cosine_does_not_see_saturation(values, factor):
    true = torch.from_numpy(values)
    expected = 1.0 if true.norm() > 0 else 0.0
    assert metrics.chroma_cosine(true * factor, true) == pytest.approx(expected, abs=1e-4)


@given(chroma_maps)
@settings(max_examples=30, deadline=None)
def test_opposite_colours_have_cosine_minus_one_and_twice_the_grey_error(values):
    true = torch.from_numpy(values)
    if true.norm() == 0:
        return
    assert metrics.chroma_cosine(-true, true) == pytest.approx(-1, abs=1e-4)
    grey = metrics.chroma_mse(torch.zeros_like(true), true)
    assert metrics.chroma_mse(-true, true) == pytest.approx(4 * grey, rel=1e-4)


def test_grey_has_no_colourfulness_and_red_and_green_have_much():
    grey = np.full((8, 8, 3), 120, np.uint8)
    assert metrics.colorfulness(grey) == pytest.approx(0, abs=1e-4)
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, :4, 0] = 255
    stripes[:, 4:, 1] = 255
    # rg = +-255, yb = 127.5: std 255 and 0, mean 0 and 127.5 (Hasler and Suesstrunk 2003).
    assert metrics.colorfulness(stripes) == pytest.approx(255 + 0.3 * 127.5, rel=1e-5)


def test_sobel_of_a_ramp_is_its_slope():
    ramp = torch.arange(12.0)[None, None, None, :].expand(1, 1, 12, 12) * 3
    assert metrics.sobel_magnitude(ramp)[0, 3:9, 3:9].numpy() == pytest.approx(3.0)


def test_blotch_is_zero_for_one_colour_and_grows_with_saturation():
    rng = np.random.default_rng(0)
    lightness = torch.from_numpy(rng.uniform(0, 100, (1, 64, 64)).astype(np.float32))
    flat = torch.full((2, 64, 64), 25.0)
    patches = torch.from_numpy(rng.normal(0, 30, (2, 64, 64)).astype(np.float32))
    assert metrics.blotch(lightness, flat) == pytest.approx(0, abs=1e-3)
    assert metrics.blotch(lightness, patches * 2) == pytest.approx(2 * metrics.blotch(lightness, patches), rel=1e-4)


def test_colour_spots_on_a_plain_backdrop_are_seen_by_blotch():
    lightness = torch.full((1, 96, 96), 60.0)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    rainbow = torch.stack([30 * torch.sin(x / 8), 30 * torch.sin(y / 8)])
    assert metrics.blotch(lightness, rainbow) > 10 * metrics.blotch(lightness, rainbow * 0 + 20) + 100


def test_delta_e_is_zero_only_for_the_truth_and_edges_are_apart():
    lightness = torch.full((1, 32, 32), 40.0)
    lightness[:, :, 8:16] = 70.0
    true = torch.full((2, 32, 32), 20.0)
    assert metrics.delta_e(lightness, true, true) == (0.0, 0.0)
    bled = true.clone()
    bled[:, :, 6:10] = bled[:, :, 14:18] = -20.0
    mean, edges = metrics.delta_e(lightness, bled, true, stride=1)
    assert edges > 2 * mean > 0
    slope = metrics.sobel_magnitude(lightness[None])
    assert metrics.delta_e(lightness, bled, true, 1, slope) == (mean, edges)
    assert metrics.delta_e(lightness, bled, true, 1, torch.ones_like(slope))[1] == mean  # then all of it is edges


@given(
    hnp.arrays(np.float64, 30, elements=st.integers(-5, 5).map(float)),
    hnp.arrays(np.float64, 30, elements=st.integers(-5, 5).map(float)),
)
@settings(max_examples=60, deadline=None)
def test_spearman_agrees_with_scipy_ties_included(x, y):
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert metrics.spearman(x, y) == 0.0
    else:
        assert metrics.spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-9)


def test_bootstrap_interval_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        sample = rng.normal(3.0, 1.0, (80, 1))
        interval = metrics.bootstrap(metrics.mean_of, sample, seed=trial)
        assert interval.low <= interval.value <= interval.high
        hits += interval.low <= 3.0 <= interval.high
    assert 50 <= hits <= 60


def test_rmse_ratio_of_grey_against_itself_is_one():
    columns = np.array([[4.0, 4.0], [9.0, 9.0]])
    assert metrics.rmse_ratio_of(columns) == pytest.approx(1.0)
    assert metrics.rmse_ratio_of(columns * [1, 4]) == pytest.approx(0.5)
