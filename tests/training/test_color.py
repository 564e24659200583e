"""Torch colour conversions against the exact CIE formulas of the server, and their inverses."""

import numpy as np
import torch
from colorize_server.color.rgb import SRGB
from colorize_training import color
from hypothesis import given, settings
from hypothesis import strategies as st

level = st.integers(0, 255)


@given(st.lists(st.tuples(level, level, level), min_size=1, max_size=64))
@settings(max_examples=60, deadline=None)
def test_lab_agrees_with_the_exact_formulas(pixels):
    rgb = np.array(pixels, np.float64) / 255
    expected = SRGB.lab_from_encoded(rgb)
    found = color.lab_from_srgb(torch.from_numpy(rgb).T[:, :, None])[:, :, 0].T.numpy()
    assert np.abs(found - expected).max() < 1e-9


@given(st.lists(st.tuples(level, level, level), min_size=1, max_size=64))
@settings(max_examples=60, deadline=None)
def test_srgb_survives_the_way_to_lab_and_back(pixels):
    srgb = torch.tensor(pixels, dtype=torch.float32).T[:, :, None] / 255
    assert (color.srgb_from_lab(color.lab_from_srgb(srgb)) - srgb).abs().max() < 2e-5


@given(level)
@settings(max_examples=40, deadline=None)
def test_a_grey_has_no_chroma(value):
    lab = color.lab_from_srgb(torch.full((3, 1, 1), value / 255, dtype=torch.float64)).flatten()
    assert lab[1:].abs().max() < 1e-9


def test_white_black_and_red_have_their_published_values():
    white, black, red = (
        color.lab_from_srgb(torch.tensor(rgb, dtype=torch.float64)[:, None, None]).flatten().tolist()
        for rgb in ((1, 1, 1), (0, 0, 0), (1, 0, 0))
    )
    assert np.allclose(white, [100, 0, 0], atol=1e-9)
    assert np.allclose(black, [0, 0, 0], atol=1e-9)
    assert np.allclose(red, [53.24, 80.09, 67.20], atol=0.01)  # Lindbloom's calculator, D65


def test_colours_outside_srgb_are_not_clamped():
    lab = torch.tensor([60.0, 120.0, -100.0])[:, None, None]
    srgb = color.srgb_from_lab(lab)
    assert srgb.min() < -0.05 or srgb.max() > 1.05
    assert torch.allclose(color.lab_from_srgb(srgb), lab, atol=1e-3)


def test_the_table_of_levels_is_the_curve():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.allclose(color.linear_from_srgb8(levels), color.linear_from_srgb(levels.float() / 255), atol=1e-7)


def test_gradients_are_finite_at_black():
    linear = torch.zeros(3, 1, 1, requires_grad=True)
    color.lab_from_linear(linear).sum().backward()
    assert torch.isfinite(linear.grad).all()
