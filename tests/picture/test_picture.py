"""Sizes, reduction, enlargement along edges, and hints, against brute force and the bars that were set for them."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from colorize_server.color.rgb import SRGB
from colorize_server.errors import HintsError, PictureError
from colorize_server.picture.control import Control
from colorize_server.picture.geometry import pad_by_reflection, plan_network
from colorize_server.picture.hints import anchor_at_network_size, check_hints, network_hints, without_faint_strokes
from colorize_server.picture.reduce import reduce_area
from colorize_server.picture.upsample import JointUpsampler, enlarge_linear
from hypothesis import given, settings
from hypothesis import strategies as st

EXECUTOR = ThreadPoolExecutor(2)
SIDES = st.integers(8, 300)


@given(st.integers(8, 20_000), st.integers(8, 20_000), st.sampled_from([64, 256, 512]), st.sampled_from([1, 32, 256]))
def test_plan_keeps_the_aspect_ratio_and_the_multiple(height: int, width: int, size: int, multiple: int) -> None:
    """The short side is the size; the long side follows the picture up to 4 times the size; padding is minimal."""
    plan = plan_network(height, width, size, multiple)
    assert min(plan.network_height, plan.network_width) == size
    long_side = max(plan.network_height, plan.network_width)
    aspect = max(height, width) / min(height, width)
    assert abs(long_side - size * min(aspect, 4)) <= 1
    assert (plan.network_height <= plan.network_width) == (height <= width) or long_side == size
    for padded, net in ((plan.padded_height, plan.network_height), (plan.padded_width, plan.network_width)):
        assert padded % multiple == 0
        assert 0 <= padded - net < multiple


@pytest.mark.parametrize(("height", "width"), [(7, 100), (100, 7), (1, 1)])
def test_too_small_a_picture_is_refused_in_words(height: int, width: int) -> None:
    with pytest.raises(PictureError, match=f"{width} by {height} pixels is too small") as caught:
        plan_network(height, width, 256, 32)
    assert caught.value.code == "picture_too_small"


def test_padding_reflects_even_further_than_the_picture() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    padded = pad_by_reflection(plane, 8, 16)
    assert padded.shape == (1, 8, 16)
    np.testing.assert_array_equal(padded[0, :3, :4], plane[0])
    np.testing.assert_array_equal(padded[0, 3], padded[0, 1])
    np.testing.assert_array_equal(padded[0, :, 4], padded[0, :, 2])


def exact_area(plane: np.ndarray, out_h: int, out_w: int) -> np.ndarray:
    """Return area averages by way of a picture that is repeated to a common multiple; slow and certain."""
    h, w = plane.shape
    big = np.repeat(np.repeat(plane.astype(np.float64), out_h, axis=0), out_w, axis=1)
    return big.reshape(out_h, h, out_w, w).mean(axis=(1, 3))


@settings(deadline=None, max_examples=40)
@given(SIDES, SIDES, st.data())
def test_reduction_is_the_exact_area_average(height: int, width: int, data: st.DataObject) -> None:
    out_h, out_w = data.draw(st.integers(2, min(height, 40))), data.draw(st.integers(2, min(width, 40)))
    plane = np.random.default_rng(height * width).uniform(0, 100, (height, width)).astype(np.float32)
    got = reduce_area(
        lambda a, b: plane[None, a:b], (height, width), (out_h, out_w), 1, executor=EXECUTOR, control=Control()
    )
    np.testing.assert_allclose(got[0], exact_area(plane, out_h, out_w), atol=2e-3)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(40, 90), st.integers(40, 90))
def test_enlargement_to_the_network_keeps_a_ramp(height: int, width: int, out_h: int, out_w: int) -> None:
    """Linear interpolation reproduces what is linear, away from the borders."""
    plane = (np.arange(height)[:, None] + 2.0 * np.arange(width)).astype(np.float32)
    got = reduce_area(
        lambda a, b: plane[None, a:b], (height, width), (out_h, out_w), 1, executor=EXECUTOR, control=Control()
    )[0]
    y = np.clip((np.arange(out_h) + 0.5) * height / out_h - 0.5, 0, height - 1)
    x = np.clip((np.arange(out_w) + 0.5) * width / out_w - 0.5, 0, width - 1)
    np.testing.assert_allclose(got, y[:, None] + 2 * x, atol=1e-3)


def enlarge(lightness: np.ndarray, low_lightness: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Enlarge whole planes strip by strip."""
    joint = JointUpsampler(low_lightness, planes, *lightness.shape)
    worker = joint.worker()
    out = np.empty((len(planes), *lightness.shape), np.float32)
    for start, stop in joint.strips():
        out[:, start:stop] = worker.enlarge(lightness[start:stop], start)
    return out


def patches(difference: float, seed: int, n: int = 512) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return L*, a*b* and the pixels within 8 of an edge, of flat patches at least `difference` L* apart."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, n, (40, 2))
    y, x = np.mgrid[:n, :n]
    patch = ((y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2).argmin(-1)
    levels = np.arange(20, 90, difference)
    light = levels[rng.integers(0, len(levels), 40)].astype(np.float32)[patch]
    chroma = rng.uniform(-50, 50, (40, 2)).astype(np.float32)[patch]
    real, same = np.zeros((n, n), np.uint8), np.zeros((n, n), np.uint8)
    for axis in (0, 1):
        border = np.diff(patch, axis=axis) != 0
        apart = np.abs(np.diff(light, axis=axis)) >= difference - 1e-3
        first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        real[first] |= border & apart
        same[first] |= border & ~apart
    # Where two patches share their lightness nothing can tell them apart: those places are no part of the test.
    near = cv2.dilate(real, np.ones((17, 17), np.uint8)) > 0
    unknowable = cv2.dilate(same, np.ones((33, 33), np.uint8)) > 0
    return light, chroma, near & ~unknowable


def gain_over_bilinear(difference: float, grain: float) -> float:
    """Return by what factor the error near edges is lower than bilinear enlargement's, 8 times, over 3 pictures."""
    errors = np.zeros((3, 2))
    for seed in range(3):
        light, chroma, near = patches(difference, seed)
        noise = np.random.default_rng(100 + seed).normal(0, grain, light.shape) if grain else 0
        seen = np.clip(light + noise, 0, 100).astype(np.float32)
        low_light = cv2.resize(seen, (64, 64), interpolation=cv2.INTER_AREA)
        low = cv2.resize(chroma, (64, 64), interpolation=cv2.INTER_AREA)
        bilinear = cv2.resize(low, (512, 512), interpolation=cv2.INTER_LINEAR)
        ours = np.moveaxis(enlarge(seen, low_light, np.moveaxis(low, -1, 0)), 0, -1)
        assert near.sum() > 10_000
        errors[seed] = [np.abs(e - chroma).mean(-1)[near].mean() for e in (bilinear, ours)]
    return float(errors[:, 0].mean() / errors[:, 1].mean())


@pytest.mark.parametrize(
    ("difference", "grain", "least"), [(15, 0, 3), (15, 3, 1.8), (5, 0, 1), (5, 3, 1)], ids=lambda v: str(v)
)
def test_chroma_stops_at_edges(difference: float, grain: float, least: float) -> None:
    """Bleeding near edges, against bilinear: the bars for clean pictures, grain of 3 L*, and weak edges."""
    assert gain_over_bilinear(difference, grain) >= least


def test_grain_does_not_become_coloured_noise() -> None:
    """A flat colour under grain of 3 L* comes out flat."""
    rng = np.random.default_rng(5)
    seen = np.clip(50 + rng.normal(0, 3, (512, 512)), 0, 100).astype(np.float32)
    low_light = cv2.resize(seen, (64, 64), interpolation=cv2.INTER_AREA)
    # What a network makes of grain: chroma that wavers a little with its input.
    low = np.stack([20 + (low_light - 50), 15 - (low_light - 50)]).astype(np.float32)
    assert enlarge(seen, low_light, low).std(axis=(1, 2)).max() <= 1.0


@settings(deadline=None, max_examples=30)
@given(SIDES, SIDES, st.integers(2, 64), st.integers(2, 64))
def test_enlargement_never_leaves_the_range_of_its_samples(height: int, width: int, h: int, w: int) -> None:
    """A weighted mean: any size to any size, constants stay constant, nothing overshoots, every row is written."""
    rng = np.random.default_rng(h * w)
    light = rng.uniform(0, 100, (height, width)).astype(np.float32)
    low = rng.uniform(-80, 80, (2, h, w)).astype(np.float32)
    low[1] = 7
    out = enlarge(light, rng.uniform(0, 100, (h, w)).astype(np.float32), low)
    assert out.shape == (2, height, width)
    assert low[0].min() - 1e-2 <= out[0].min()
    assert out[0].max() <= low[0].max() + 1e-2
    np.testing.assert_allclose(out[1], 7, rtol=1e-4)


def test_linear_enlargement_agrees_with_opencv() -> None:
    plane = np.random.default_rng(0).uniform(0, 1, (20, 30)).astype(np.float32)
    whole = cv2.resize(plane, (90, 70), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(enlarge_linear(plane, (70, 90), 11, 40), whole[11:40], atol=1e-5)


def painted(height: int, width: int, colour: tuple[int, int, int], rows: slice, columns: slice) -> np.ndarray:
    hints = np.zeros((height, width, 4), np.uint8)
    hints[rows, columns] = (*colour, 255)
    return hints


def test_a_thin_stroke_reaches_the_network_with_its_own_colour() -> None:
    """3 px on a scan of 3,000 rows: its mean chroma is the stroke's, its coverage says how thin it is."""
    hints = painted(3000, 2000, (200, 30, 40), slice(1500, 1503), slice(500, 900))
    planes = network_hints(hints, (384, 256), executor=EXECUTOR, control=Control())
    lab = SRGB.lab_from_encoded(np.array([200, 30, 40]) / 255)
    touched = planes[2] > 0
    assert touched.sum() >= 50
    np.testing.assert_allclose(planes[0][touched] * 110, lab[1], atol=0.1)
    np.testing.assert_allclose(planes[1][touched] * 110, lab[2], atol=0.1)
    assert planes[2].sum() == pytest.approx(3 * 400 / (3000 * 2000) * 384 * 256, rel=1e-3)
    assert not planes[:, ~touched].any()


def test_an_ignored_hint_is_anchored_and_stops_at_an_edge() -> None:
    """The network's grey is corrected to the stroke inside its patch, and hardly beyond the patch's edge."""
    light = np.full((64, 64), 30, np.float32)
    light[:, 32:] = 70
    hints = np.zeros((4, 64, 64), np.float32)
    hints[:, 30:34, 20:28] = np.array([55 / 110, -33 / 110, 1.0, 1.0])[:, None, None]
    out = anchor_at_network_size(np.zeros((2, 64, 64), np.float32), hints, light)
    np.testing.assert_allclose(out[0, 30:34, 20:28], 55, atol=0.5)
    np.testing.assert_allclose(out[1, 30:34, 20:28], -33, atol=0.5)
    assert out[0, 32, 31] > 10
    assert abs(out[0, 32, 32:]).max() < 2
    assert abs(out[0, :10]).max() < 1


@pytest.mark.parametrize("width_px", [2, 60])
def test_a_faint_stroke_goes_a_part_of_the_way(width_px: int) -> None:
    """How opaque a stroke is counts, not how much of a network pixel it covers; a trace of one does nothing."""
    light = np.full((96, 64), 50, np.float32)
    reached = []
    for alpha in (255, 102, 1):
        hints = painted(960, 640, (200, 30, 40), slice(480, 480 + width_px), slice(200, 400))
        hints[..., 3][hints[..., 3] > 0] = alpha
        planes = network_hints(hints, (96, 64), executor=EXECUTOR, control=Control())
        told = without_faint_strokes(planes)
        assert bool(told.any()) == (alpha == 255)
        out = anchor_at_network_size(np.zeros((2, 96, 64), np.float32), planes, light)
        reached.append(float(out[0].max()))
    assert reached[1] == pytest.approx(0.4 * reached[0], rel=0.05)
    assert reached[2] < 0.01 * reached[0]


def test_hints_of_another_size_or_kind_are_refused() -> None:
    with pytest.raises(HintsError, match="10 x 20 pixels, the photograph 11 x 20"):
        check_hints(np.zeros((20, 10, 4), np.uint8), 20, 11)
    with pytest.raises(HintsError, match="not an RGBA picture"):
        check_hints(np.zeros((20, 10, 3), np.uint8), 20, 10)
