"""Whether a layer of colour is still as Colorize inserted it, or the artist has changed it.

Pixels are compared by sums that do not depend on their order, so that flipping or turning the image changes nothing,
and in bytes, so that neither does another precision.  In a scaled image all pixels are others: there a coarse grid
decides.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import provenance
from gi.repository import Gegl, Gimp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIXEL_FORMAT = "R'G'B'A u8"
SUM_MODULUS = (1 << 32) - 1
"""A number modulo this is the sum of its 32-bit words, which are the pixels, whatever their order."""
GRID = 24
GRID_SIDE = 120
"""Pixels of the short side from which the grid is made."""
CHANNELS = 3
"""Of a part of the grid."""
GRID_TOLERANCE = 6
"""Levels of 255 by which a mean of the grid may differ after scaling."""

Cells = list[tuple[int, ...]]


def state_of(layer: Gimp.Layer, photograph: Gimp.Layer | None) -> dict[str, Any]:
    """Return what is to be kept of a layer that was just inserted."""
    mask = layer.get_mask()
    return {
        "size": [layer.get_width(), layer.get_height()],
        "sum": _sum(layer),
        "mask": _sum(mask) if mask else None,
        "grid": base64.b64encode(bytes(level for cell in _grid(layer) for level in cell)).decode(),
        **_conduct(layer),
        "beside": _is_beside(layer, photograph),
    }


def is_untouched(layer: Gimp.Layer, photograph: Gimp.Layer | None) -> bool:
    """Tell whether the artist left a layer's pixels, mask, opacity, mode, filters, name and group as they were."""
    before = (provenance.of_layer(layer) or {}).get("state")
    if not isinstance(before, dict) or layer.get_filters():
        return False
    if any(before.get(name) != value for name, value in _conduct(layer).items()):
        return False
    return before.get("beside") == _is_beside(layer, photograph) and has_own_pixels(layer)


def has_own_pixels(layer: Gimp.Layer) -> bool:
    """Tell whether a layer's pixels and mask are those that Colorize made."""
    before = (provenance.of_layer(layer) or {}).get("state")
    mask = layer.get_mask()
    if not isinstance(before, dict) or (before.get("mask") is None) != (mask is None):
        return False
    size = [layer.get_width(), layer.get_height()]
    if before.get("size") in (size, size[::-1]):
        return before.get("sum") == _sum(layer) and (mask is None or before.get("mask") == _sum(mask))
    return _is_like(_cells(base64.b64decode(str(before.get("grid", ""))), CHANNELS), _grid(layer))


def is_turned_or_scaled(layer: Gimp.Layer) -> bool:
    """Tell whether a layer of colour, painted on or not, does not lie on its photograph as it was laid."""
    before = (provenance.of_layer(layer) or {}).get("state")
    if not isinstance(before, dict) or before.get("size") != [layer.get_width(), layer.get_height()]:
        return True
    cells, now = _cells(base64.b64decode(str(before.get("grid", ""))), CHANNELS), _grid(layer)
    if len(cells) != len(now):
        return True
    upright, *turned = (_alike(orientation, now) for orientation in _orientations(cells))
    return max(turned) > upright


def _conduct(layer: Gimp.Layer) -> dict[str, Any]:
    return {
        "name": layer.get_name(),
        "mode": int(layer.get_mode()),
        "opacity": round(layer.get_opacity(), 2),
        "applies_mask": bool(layer.get_mask() and layer.get_apply_mask()),
    }


def _is_beside(layer: Gimp.Layer, photograph: Gimp.Layer | None) -> bool:
    """Tell whether a layer is in the same group as its photograph, or, without one, in none."""
    return layer.get_parent() == (photograph.get_parent() if photograph else None)


def _sum(drawable: Gimp.Drawable) -> int:
    area = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    data = bytes(drawable.get_buffer().get(area, 1.0, PIXEL_FORMAT, Gegl.AbyssPolicy.NONE))
    return int.from_bytes(data, "little") % SUM_MODULUS


def _grid(layer: Gimp.Layer) -> Cells:
    """Return the means of `GRID` x `GRID` equal parts, pixels on a border shared by their area.

    Of each the differences of red and blue from green, and alpha: the layer is seen for its colour alone, which scaling
    changes less than lightness.
    """
    width, _height, data = small(layer, GRID_SIDE)
    values = [((255 + r - g) / 2, (255 + b - g) / 2, a) for r, g, b, a in _cells(data, 4)]
    rows = [values[start : start + width] for start in range(0, len(values), width)]
    across = [_means(row) for row in rows]
    down = [_means([row[column] for row in across]) for column in range(GRID)]
    return [tuple(round(level) for level in down[column][row]) for row in range(GRID) for column in range(GRID)]


def _means(pixels: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """Return the means of `GRID` equal parts of a line of pixels."""
    step = len(pixels) / GRID
    means = []
    for part in range(GRID):
        start, stop = part * step, (part + 1) * step
        weights = [
            (min(stop, at + 1) - max(start, at), pixels[at])
            for at in range(int(start), min(len(pixels), int(stop) + 1))
        ]
        means.append(tuple(sum(weight * pixel[c] for weight, pixel in weights) / step for c in range(CHANNELS)))
    return means


def small(drawable: Gimp.Drawable, short_side: int) -> tuple[int, int, bytes]:
    """Return width, height and RGBA bytes of a drawable, reduced so that its short side has about so many pixels."""
    width, height = drawable.get_width(), drawable.get_height()
    scale = min(1.0, short_side / min(width, height))
    reduced_width, reduced_height = max(1, round(width * scale)), max(1, round(height * scale))
    area = Gegl.Rectangle.new(0, 0, reduced_width, reduced_height)
    data = bytes(drawable.get_buffer().get(area, scale, PIXEL_FORMAT, Gegl.AbyssPolicy.CLAMP))
    return reduced_width, reduced_height, data


def _cells(data: bytes, size: int) -> Cells:
    return list(zip(*[iter(data)] * size, strict=True))


def _is_like(before: Cells, now: Cells) -> bool:
    if len(before) != len(now):
        return False
    return max(_alike(turned, now) for turned in _orientations(before)) == len(now)


def _alike(before: Cells, now: Cells) -> int:
    """Return how many parts of two grids are the same."""
    pairs = zip(before, now, strict=True)
    return sum(all(abs(a - b) <= GRID_TOLERANCE for a, b in zip(one, other, strict=True)) for one, other in pairs)


def _orientations(cells: Cells) -> Iterator[Cells]:
    """Yield a square of cells turned and flipped in all eight ways."""
    rows = [cells[start : start + GRID] for start in range(0, len(cells), GRID)]
    for _ in range(4):
        yield [cell for row in rows for cell in row]
        yield [cell for row in rows for cell in reversed(row)]
        rows = [list(row) for row in zip(*rows[::-1], strict=True)]
