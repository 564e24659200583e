"""Strokes are found on a layer that was painted on: where, in which colour, with soft edges; and nothing else is."""

import cv2
import numpy as np
import pytest
from colorize_server.color.difference import ciede2000
from colorize_server.color.rgb import SRGB
from colorize_server.picture.touchups import lift, patches

HEIGHT, WIDTH = 400, 500
STROKES = [
    ([(0.3, 0.15), (0.5, 0.12), (0.62, 0.2)], 14, (70, 45, 30), 1.0),
    ([(0.45, 0.35), (0.5, 0.45)], 18, (205, 150, 120), 0.6),
    ([(0.1, 0.6), (0.25, 0.7), (0.2, 0.85)], 22, (50, 70, 120), 0.8),
    ([(0.7, 0.5), (0.8, 0.6)], 16, (150, 140, 20), 0.9),
    ([(0.6, 0.85), (0.75, 0.9)], 20, (128, 128, 128), 1.0),
]


def laid(seed: int = 3) -> np.ndarray:
    """A layer of smooth colour, as the picture path makes it."""
    noise = np.random.default_rng(seed).normal(0, 1, (8, 10, 3)).astype(np.float32)
    colour = np.array([150, 110, 90]) + 25 * cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.dstack([np.clip(colour, 0, 255).astype(np.uint8), np.full((HEIGHT, WIDTH), 255, np.uint8)])


def paint(layer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paint the strokes with a soft round brush; returns the layer and the coverage of all strokes."""
    out = layer[..., :3].astype(np.float32)
    covered = np.zeros((HEIGHT, WIDTH), np.float32)
    for points, radius, colour, opacity in STROKES:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        line = np.array([[x * WIDTH, y * HEIGHT] for x, y in points], np.int32)
        cv2.polylines(mask, [line], False, 255, 2 * radius, cv2.LINE_AA)
        alpha = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), radius / 3) * opacity
        out = (1 - alpha[..., None]) * out + alpha[..., None] * np.array(colour, np.float32)
        covered = 1 - (1 - covered) * (1 - alpha)
    return np.dstack([np.rint(out).astype(np.uint8), layer[..., 3]]), covered


def over(base: np.ndarray, strokes: np.ndarray) -> np.ndarray:
    alpha = strokes[..., 3:].astype(np.float32) / 255
    return base[..., :3] * (1 - alpha) + strokes[..., :3] * alpha


def test_strokes_are_found_and_nothing_else() -> None:
    base = laid()
    painted, covered = paint(base)
    found = lift(base, painted)[..., 3] / 255
    assert (found[covered > 0.1] > 0.05).mean() > 0.89
    assert (found[covered < 0.004] > 0.1).mean() < 0.0002


def test_found_strokes_laid_on_another_base_are_what_painting_there_would_give() -> None:
    base, other = laid(), laid(seed=9)
    painted, covered = paint(base)
    moved = SRGB.lab_from_encoded(over(other, lift(base, painted)) / 255)
    ideal = SRGB.lab_from_encoded(paint(other)[0][..., :3] / 255)
    difference = ciede2000(ideal, np.concatenate([ideal[..., :1], moved[..., 1:]], axis=-1))
    assert difference[covered > 0.01].mean() <= 1.5
    around = (cv2.dilate((covered > 0.01).astype(np.uint8), np.ones((17, 17))) > 0) & (covered <= 0.01)
    assert difference[around].mean() <= 0.1


def test_an_untouched_layer_has_no_strokes() -> None:
    base = laid()
    noise = np.random.default_rng(0).integers(-1, 2, (HEIGHT, WIDTH, 3))
    rounded = np.dstack([np.clip(base[..., :3] + noise, 0, 255).astype(np.uint8), base[..., 3]])
    assert not lift(base, base)[..., 3].any()
    assert not lift(base, rounded)[..., 3].any()


def test_another_lightness_is_no_stroke() -> None:
    """The photograph was mended: colours of the same hue and chroma at another lightness."""
    base = laid()
    lab = SRGB.lab_from_encoded(base[..., :3] / 255)
    lab[100:140, 100:140, 0] += 8
    lighter = np.rint(255 * np.clip(SRGB.encoded_from_lab(lab), 0, 1)).astype(np.uint8)
    assert (lighter != base[..., :3]).any()
    assert not lift(base, np.dstack([lighter, base[..., 3]]))[..., 3].any()


@pytest.mark.parametrize(("kept", "alpha"), [(0, 255), (102, 153)])
def test_what_was_erased_is_a_stroke_of_grey(kept: int, alpha: int) -> None:
    base = laid()
    erased = base.copy()
    erased[50:90, 60:120, 3] = kept
    strokes = lift(base, erased)
    assert (strokes[50:90, 60:120] == (128, 128, 128, alpha)).all()
    assert strokes[..., 3].astype(bool).sum() == 40 * 60


def test_a_gradient_keeps_its_own_colours() -> None:
    base = laid()
    painted = base.copy()
    painted[100:200, 100:300, :3] = np.linspace((250, 20, 20), (20, 20, 250), 200).astype(np.uint8)
    strokes = lift(base, painted)
    inside = np.s_[105:195, 105:295]
    assert (strokes[inside][..., 3] > 250).mean() > 0.99
    assert np.abs(strokes[inside][..., :3].astype(int) - painted[inside][..., :3]).max() <= 1


def test_patches_are_those_of_opencv() -> None:
    mask = np.random.default_rng(5).random((200, 220)) > 0.62
    labels, boxes = patches(mask)
    _, expected, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = [k for k in range(1, len(stats)) if stats[k, cv2.CC_STAT_AREA] >= 12]
    assert len(boxes) == len(large) > 10
    for k in large:
        own = np.unique(labels[expected == k])
        assert len(own) == 1
        assert (labels == own[0]).sum() == stats[k, cv2.CC_STAT_AREA]
        left, top, width, height = stats[k, :4]
        assert boxes[int(own[0])] == (top, top + height, left, left + width)
