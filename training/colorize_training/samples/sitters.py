"""Put grey canvas behind sitters: find a plain backdrop by its colour, cut along the outline, take the colour out.

Plain backdrops of today's portraits are blue, green or pink; those of old photographs were grey or brown canvas.  A
network that learns the former lays a sky behind Lincoln.  In the colour photograph the outline is easy to find, with
hair and shoulders, so the network meets grey canvas behind real outlines, which an oval cut at random does not teach.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from colorize_training import color
from colorize_training.measure.metrics import srgb8_from_lab

_GRID_PX: Final = 64
"""Short side at which the backdrop is searched."""

_TOLERANCE: Final = 11.0
"""How far, in L*a*b* units with L* counting less, a backdrop may stray from a smooth surface."""

_LIGHTNESS_COUNTS: Final = 0.7
"""Folds and shadows of a backdrop change its lightness more than its colour."""

_BORDER_CELLS: Final = 2
_SIDE_SHARE: Final = 0.5
"""Part of the left and right border, from the top, that belongs to the backdrop of a sitter."""

_PLAIN_SHARE: Final = 0.85
"""Share of the border that must lie on the surface."""

_COVER_RANGE: Final = (0.15, 0.8)
_WARM_HUE: Final = (15.0, 100.0)
"""Degrees in a*b*: skin, beige walls, brown canvas.  Left as they are: a tight crop may have nothing but skin there."""

_WARM_CHROMA_MIN: Final = 7.0
_SOFTNESS: Final = 1.5
"""L*a*b* units over which the edge of the mask falls off."""

_MOTTLE_CELLS: Final = (3, 6, 12, 24, 48)
"""Mottles of a painted canvas across the picture, coarse to fine."""

_MOTTLE_MAX: Final = 8.0
"""L*, standard deviation of the coarsest mottles of the roughest canvas."""

_REPAINT_SHARE: Final = 0.7
"""Of the backdrops found: the others keep their own light."""


def _quadratic_basis(height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 6): the monomials of x and y up to the second degree, both from -1 to 1."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    x, y = np.broadcast_arrays(x, y)
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)


def _distance(lab: Tensor, surface: Tensor) -> Tensor:
    """(3, H, W) twice to (H, W)."""
    difference = lab - surface
    return torch.sqrt((_LIGHTNESS_COUNTS * difference[0]) ** 2 + difference[1] ** 2 + difference[2] ** 2)


def _fit_surface(lab: NDArray[np.float64], seeds: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Fit a quadratic surface to the border cells, those far off it left out; None if too many are."""
    basis = _quadratic_basis(lab.shape[1], lab.shape[2])
    known, values = basis[seeds], lab[:, seeds].T
    used = np.ones(len(known), dtype=bool)
    factors: NDArray[np.floating[Any]] = np.zeros((known.shape[1], len(lab)))
    for _ in range(4):
        factors = np.linalg.lstsq(known[used], values[used], rcond=None)[0]
        misses = (values - known @ factors) * [_LIGHTNESS_COUNTS, 1, 1]
        used = np.linalg.norm(misses, axis=1) < _TOLERANCE
        if used.mean() < _PLAIN_SHARE:
            return None
    low, high = values[used].min(axis=0) - 3, values[used].max(axis=0) + 3
    surface: NDArray[np.float64] = np.clip(basis @ factors, low, high).transpose(2, 0, 1)
    return surface


def _grow(seeds: Tensor, allowed: Tensor) -> Tensor:
    """Grow seeds within the allowed cells, neighbour by neighbour; (1, 1, h, w) float of 0 and 1."""
    region = seeds * allowed
    while True:
        grown = functional.max_pool2d(region, 3, stride=1, padding=1) * allowed
        if torch.equal(grown, region):
            return region
        region = grown


def _is_sitter(cover: NDArray[np.bool_]) -> bool:
    """Whether what the backdrop leaves stands on the bottom edge, fills the middle and does not crowd the top."""
    height, width = cover.shape
    low, high = _COVER_RANGE
    middle = cover[int(0.35 * height) : int(0.6 * height), int(0.35 * width) : int(0.65 * width)]
    bottom = cover[-3:, int(0.3 * width) : int(0.7 * width)]
    top = cover[: max(1, int(0.06 * height))]
    return bool(low < cover.mean() < high and bottom.mean() < 0.3 and middle.mean() < 0.15 and top.mean() > 0.75)


def _is_warm(chroma: Tensor) -> Tensor:
    """Where a*b* could be skin; (2, ...) to (...) bool."""
    low, high = _WARM_HUE
    hue = torch.rad2deg(torch.atan2(chroma[1], chroma[0]))
    return (chroma.norm(dim=0) > _WARM_CHROMA_MIN) & (hue > low) & (hue < high)


def find_plain_backdrop(lab: Tensor) -> Tensor | None:
    """Find the plain backdrop of a single sitter, unless it is as warm as skin.

    A quadratic surface is fitted to the colours of the upper border; the backdrop is what lies on it and is joined to
    that border.

    Args:
        lab: (3, H, W) L*a*b* of a colour photograph.

    Returns:
        (H, W) float32: 1 on the backdrop, 0 on the sitter; None if there is no such backdrop.
    """
    height, width = lab.shape[1:]
    scale = _GRID_PX / min(height, width)
    grid = functional.interpolate(lab[None], (round(height * scale), round(width * scale)), mode="area")[0]
    rows, columns = grid.shape[1:]
    seeds = np.zeros((rows, columns), dtype=bool)
    seeds[:_BORDER_CELLS] = True
    seeds[: int(_SIDE_SHARE * rows), :_BORDER_CELLS] = True
    seeds[: int(_SIDE_SHARE * rows), -_BORDER_CELLS:] = True
    fitted = _fit_surface(grid.double().numpy(), seeds)
    if fitted is None:
        return None
    surface = torch.from_numpy(fitted).float()
    allowed = ((_distance(grid, surface) < _TOLERANCE) & ~_is_warm(grid[1:])).float()[None, None]
    region = _grow(torch.from_numpy(seeds).float()[None, None], allowed)
    found = region[0, 0].numpy() > 0
    if not _is_sitter(found) or bool(_is_warm(surface[1:, found].mean(dim=1))):
        return None
    near = functional.max_pool2d(region, 3, stride=1, padding=1)
    near, surface = (
        functional.interpolate(x, (height, width), mode="bilinear", align_corners=False)[0]
        for x in (near, surface[None])
    )
    on_surface = torch.sigmoid((1.15 * _TOLERANCE - _distance(lab, surface)) / _SOFTNESS)
    return near[0] * on_surface * ~_is_warm(lab[1:])


def _canvas(height: int, width: int, rng: np.random.Generator) -> Tensor:
    """Draw the lightness of a painted studio canvas: a falling light and mottles of several sizes; (H, W) L*.

    From plain to as mottled as foliage out of focus, which is what a network takes a rough canvas for.
    """
    tone = torch.full((height, width), float(rng.uniform(20, 85)))
    slope_x, slope_y = rng.uniform(-15, 15, 2).tolist()
    tone = tone + slope_x * torch.linspace(-1, 1, width)[None, :] + slope_y * torch.linspace(-1, 1, height)[:, None]
    strength, persistence = float(rng.uniform(0, _MOTTLE_MAX)), float(rng.uniform(0.4, 0.9))
    for cells in _MOTTLE_CELLS:
        mottle = torch.from_numpy(rng.standard_normal((1, 1, cells, cells), dtype=np.float32))
        spread = functional.interpolate(mottle, (height, width), mode="bicubic", align_corners=True)
        tone = tone + strength * spread[0, 0]
        strength *= persistence
    return tone.clamp(2, 98)


def with_grey_backdrop(rgb8: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take the colour out of a sitter's plain backdrop, and most of the time paint another canvas there.

    Args:
        rgb8: (H, W, 3) uint8 sRGB.
        rng: draws the canvas.

    Returns:
        A new picture of the same shape, or ``rgb8`` itself if no sitter with a plain, cool backdrop was found.
    """
    lab = color.lab_from_linear(color.linear_from_srgb8(torch.from_numpy(rgb8).permute(2, 0, 1)))
    cover = find_plain_backdrop(lab)
    if cover is None:
        return rgb8
    lab[1:] *= 1 - cover
    if rng.random() < _REPAINT_SHARE:
        lab[0] += cover * (_canvas(rgb8.shape[0], rgb8.shape[1], rng) - lab[0])
    return srgb8_from_lab(lab[:1], lab[1:])
