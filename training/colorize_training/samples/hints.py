"""Simulated colour hints: points and short strokes of the true chroma, as a painter would give them.

Zhang, Zhu, Isola et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors" (SIGGRAPH 2017),
section 3.2, extended by strokes and by fractional coverage (soft brushes, down-scaled layers).
"""

from typing import Final

import cv2
import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from torch import Tensor

from colorize_training.config import HintConfig

_GEOMETRIC_P = 0.12
"""Few hints are more common than many: half of the draws have at most five."""

_STROKE_TOLERANCE = 8.0 / contract.CHROMA_SCALE
"""A stroke ends where the truth under the brush is further from its colour: a painter stays within one thing."""


_STROKE_RADII: Final = (3.5, 20.0)
"""Of an artist's strokes, px where the picture's side is 256."""

_STROKE_LIKENESS: Final = 12.0 / contract.CHROMA_SCALE
_STROKES_P: Final = 0.28


def _place(distance: NDArray[np.float32] | None, shape: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
    """Draw a place, uniformly or with the weights (H / 8, W / 8) given."""
    if distance is None or not distance.any():
        return int(rng.integers(shape[0])), int(rng.integers(shape[1]))
    cell = int(rng.choice(distance.size, p=distance.ravel() / distance.sum()))
    row, column = divmod(cell, distance.shape[1])
    return row * 8 + int(rng.integers(8)), column * 8 + int(rng.integers(8))


def stroke_mask(chroma: NDArray[np.float32], y: int, x: int, radius: float) -> NDArray[np.bool_]:
    """Return what one stroke of a round brush covers: a painter stays within one thing.

    Args:
        chroma: (2, H, W) true chroma, network units.
        y: row of the stroke's middle.
        x: its column.
        radius: of the brush, px.

    Returns:
        (H, W) bool: the pixels under the brush that are of the middle's colour and connected to it.
    """
    rows, columns = np.ogrid[: chroma.shape[1], : chroma.shape[2]]
    top, left = max(0, y - 1), max(0, x - 1)
    picked = chroma[:, top : y + 2, left : x + 2].mean(axis=(1, 2))
    is_like = ((chroma - picked[:, None, None]) ** 2).sum(axis=0) <= _STROKE_LIKENESS**2
    under = (is_like & ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)).astype(np.uint8)
    under[y, x] = 1
    labels = cv2.connectedComponents(under, connectivity=4)[1]
    covered: NDArray[np.bool_] = labels == labels[y, x]
    return covered


def draw_strokes(chroma: NDArray[np.float32], rng: np.random.Generator, config: HintConfig) -> NDArray[np.float32]:
    """Simulate broad strokes of true colour, few far more often than many, some where the colour is unexpected.

    A stroke covers what is of its colour and connected under a brush of 7 to 40 px (of a picture of 256 px); its
    edge is soft on half of them.

    Args:
        chroma: (2, H, W) true chroma, network units; H and W multiples of 8.
        rng: of the sample.
        config: the share of strokes far from the mean colour.

    Returns:
        (3, H, W) hints as :func:`draw_hints` gives them.
    """
    _, height, width = chroma.shape
    hints = np.zeros((3, height, width), np.float32)
    unexpected = chroma - chroma.mean(axis=(1, 2), keepdims=True)
    square = (unexpected**2).sum(axis=0).astype(np.float32)
    distance = cv2.resize(square, (width // 8, height // 8), interpolation=cv2.INTER_AREA).astype(np.float64)
    for _ in range(min(int(rng.geometric(_STROKES_P)), config.max_points)):
        is_far = rng.random() < config.far_places
        y, x = _place(distance if is_far else None, (height, width), rng)
        radius = np.exp(rng.uniform(*np.log(_STROKE_RADII))) * min(height, width) / 256
        stroke = stroke_mask(chroma, y, x, float(radius))
        coverage = stroke.astype(np.float32) * (1.0 if rng.random() < 0.7 else rng.uniform(0.2, 1.0))
        if rng.random() < 0.5:
            coverage = np.asarray(cv2.GaussianBlur(coverage, (0, 0), float(rng.uniform(0.5, 2.0))), np.float32)
            coverage[coverage < 0.02] = 0.0
        painted = coverage > hints[2]
        hints[:2, painted] = chroma[:, stroke].mean(axis=1, keepdims=True)
        hints[2, painted] = coverage[painted]
    return hints


def draw_hints(chroma: NDArray[np.float32], rng: np.random.Generator, config: HintConfig) -> NDArray[np.float32]:
    """Simulate the hints of one sample.

    Args:
        chroma: (2, H, W) true a* / 110, b* / 110.
        rng: the sample's generator.
        config: how many and how often.

    Returns:
        (3, H, W) float32: a*, b* (network units, zero where nothing was painted) and coverage 0..1.
    """
    _, height, width = chroma.shape
    hints = np.zeros((3, height, width), np.float32)
    if rng.random() >= config.share:
        return hints
    if rng.random() < config.strokes:
        return draw_strokes(chroma, rng, config)
    count = min(int(rng.geometric(_GEOMETRIC_P)), config.max_points)
    if rng.random() < 0.1:
        count = int(rng.integers(1, config.max_points + 1))
    for _ in range(count):
        half = int(rng.integers(0, 5))  # the mean over 1 to 9 px
        y, x = int(rng.integers(height)), int(rng.integers(width))
        steps = int(rng.integers(2, 12)) if rng.random() < 0.25 else 1
        dy, dx = rng.normal(0, 1.5, 2)
        coverage = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.15, 1.0))
        top, bottom = max(0, y - half), min(height, y + half + 1)
        left, right = max(0, x - half), min(width, x + half + 1)
        colour = chroma[:, top:bottom, left:right].mean(axis=(1, 2))
        brush = half if rng.random() < 0.5 else min(half, 1)
        for step in range(steps):
            cy, cx = int(y + step * dy), int(x + step * dx)
            top, bottom = max(0, cy - brush), min(height, cy + brush + 1)
            left, right = max(0, cx - brush), min(width, cx + brush + 1)
            if top >= bottom or left >= right:
                break
            under = chroma[:, top:bottom, left:right].mean(axis=(1, 2))
            if step > 0 and np.hypot(*(under - colour)) > _STROKE_TOLERANCE:
                break
            hints[:2, top:bottom, left:right] = colour[:, None, None]
            hints[2, top:bottom, left:right] = coverage
    return hints


def uniform_hints(chroma: Tensor, count: int, seed: int) -> Tensor:
    """Place ``count`` hints of 3x3 px at seeded uniform positions, each the mean of the true chroma under it.

    Args:
        chroma: (2, H, W) true network chroma.
        count: number of hints; the first n positions are the same for every count.
        seed: of the positions.

    Returns:
        (3, H, W) float32 hints of the model contract.
    """
    _, height, width = chroma.shape
    rng = np.random.default_rng(seed)
    positions = [(int(rng.integers(1, height - 1)), int(rng.integers(1, width - 1))) for _ in range(count)]
    hints = torch.zeros(3, height, width)
    for y, x in positions:
        window = (slice(None), slice(y - 1, y + 2), slice(x - 1, x + 2))
        hints[:2][window] = chroma[window].mean(dim=(1, 2), keepdim=True)
        hints[2, y - 1 : y + 2, x - 1 : x + 2] = 1.0
    return hints


def turn_hue(chroma: Tensor, angle: float) -> Tensor:
    """Turn (2, H, W) chroma by an angle (radians) in the a*b* plane; new tensor."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return torch.stack([c * chroma[0] - s * chroma[1], s * chroma[0] + c * chroma[1]])
