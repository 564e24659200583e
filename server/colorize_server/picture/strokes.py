"""Strokes as an artist draws them, kept as lines and not as pixels: read, checked, and drawn at any size.

So that a stroke can be undone, sent in a few bytes, kept in a project file, and drawn on a photograph of any size with
the same shape.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import HintsError
from .control import Control
from .hints import Rgba

Coverage: TypeAlias = NDArray[np.float32]

MAX_STROKES: Final = 2000
MAX_POINTS: Final = 100_000
"""Of all strokes together; a long afternoon's work has a few thousand."""
MAX_RADIUS: Final = 0.5
_MEMBERS: Final = {"colour", "radius", "softness", "points"}
_SPACING: Final = 0.1
"""Points nearer to each other than this share of the radius are left out: nobody sees them."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke.

    Attributes:
        colour: sRGB, 0..255 each; None erases what lies below.
        radius: as a share of the photograph's long side.
        softness: 0 has a hard edge, 1 fades from the middle on.
        points: x and y, as shares of the photograph's width and height; strokes may leave the picture.
    """

    colour: tuple[int, int, int] | None
    radius: float
    softness: float
    points: tuple[tuple[float, float], ...]


def strokes_from_members(members: Any) -> list[Stroke]:
    """Read strokes from JSON: a list of objects with the members of `Stroke`.

    Raises:
        HintsError: if it is none.
    """
    if not isinstance(members, list) or len(members) > MAX_STROKES:
        raise _no_strokes()
    strokes = [_stroke(item) for item in members]
    if sum(len(stroke.points) for stroke in strokes) > MAX_POINTS:
        raise HintsError("There are more strokes than can be used.", "Undo some, or use larger ones.")
    return strokes


def _stroke(item: Any) -> Stroke:
    if not isinstance(item, dict) or set(item) != _MEMBERS:
        raise _no_strokes()
    colour, points = item["colour"], item["points"]
    if colour is not None and not (
        isinstance(colour, list) and len(colour) == 3 and all(type(c) is int and 0 <= c <= 255 for c in colour)
    ):
        raise _no_strokes()
    if not isinstance(points, list) or not 0 < len(points) <= MAX_POINTS:
        raise _no_strokes()
    return Stroke(
        None if colour is None else (colour[0], colour[1], colour[2]),
        _number(item["radius"], 1e-5, MAX_RADIUS),
        _number(item["softness"], 0, 1),
        tuple(_point(point) for point in points),
    )


def _point(point: Any) -> tuple[float, float]:
    if not isinstance(point, list) or len(point) != 2:
        raise _no_strokes()
    return _number(point[0], -2, 3), _number(point[1], -2, 3)


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # also refuses NaN
        raise _no_strokes()
    return float(value)


def _no_strokes() -> HintsError:
    return HintsError("What was sent as strokes are none.", "Open the page anew; it keeps its strokes.")


def draw(strokes: Sequence[Stroke], height: int, width: int, control: Control | None = None) -> Rgba:
    """Draw strokes on a transparent layer, each over those before it.

    Args:
        strokes: from the first to the last.
        height: of the layer, in pixels.
        width: of the layer, in pixels.
        control: checked before each stroke.

    Returns:
        (height, width, 4) uint8, sRGB, straight alpha.

    Raises:
        CancelledError: `control` was cancelled.
    """
    layer = np.zeros((height, width, 4), np.uint8)
    for stroke in strokes:
        if control is not None:
            control.check()
        found = _coverage(stroke, height, width)
        if found is not None:
            coverage, rows, columns = found
            _lay(stroke.colour, coverage, layer[rows, columns])
    return layer


def _lay(colour: tuple[int, int, int] | None, coverage: Coverage, under: Rgba) -> None:
    """Lay one stroke over part of a layer, in place: Porter and Duff's "over" (1984), or "out" for an eraser."""
    touched = coverage > 0
    over = coverage[touched]
    kept = under[touched].astype(np.float32)
    below = kept[:, 3] * (1 - over)
    alpha = below if colour is None else below + 255 * over
    if colour is not None:
        mixed = kept[:, :3] * below[:, None] + np.array(colour, np.float32) * (255 * over)[:, None]
        kept[:, :3] = mixed / np.maximum(alpha, 1e-6)[:, None]
    kept[:, 3] = alpha
    under[touched] = np.rint(kept).astype(np.uint8)


def _coverage(stroke: Stroke, height: int, width: int) -> tuple[Coverage, slice, slice] | None:
    """Return a stroke's coverage 0..1 and the rows and columns that it is of; None where it misses the picture.

    A pixel's coverage falls with the distance of its centre from the line, over one pixel for a hard stroke.
    """
    radius = max(stroke.radius * max(height, width), 0.5)
    edge = max(1.0, stroke.softness * radius)
    reach = radius + 0.5
    line = _thinned([(x * width, y * height) for x, y in stroke.points], radius * _SPACING)
    top, bottom = _span([y for _, y in line], reach, height)
    left, right = _span([x for x, _ in line], reach, width)
    if top >= bottom or left >= right:
        return None
    # Squared distances, so that a root is taken once a pixel and not once a piece of the line.
    nearest = np.full((bottom - top, right - left), reach * reach, np.float32)
    for (x0, y0), (x1, y1) in zip(line[:-1] or line, line[1:] or line, strict=True):
        first, last = _span([y0, y1], reach, height)
        begin, end = _span([x0, x1], reach, width)
        if first >= last or begin >= end:
            continue
        part = nearest[first - top : last - top, begin - left : end - left]
        y = np.arange(first, last, dtype=np.float32)[:, None] + np.float32(0.5 - y0)
        x = np.arange(begin, end, dtype=np.float32)[None] + np.float32(0.5 - x0)
        dx, dy = np.float32(x1 - x0), np.float32(y1 - y0)
        along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, np.float32(1e-12)), 0, 1)
        np.minimum(part, (x - along * dx) ** 2 + (y - along * dy) ** 2, out=part)
    coverage = np.clip((np.float32(reach) - np.sqrt(nearest)) / np.float32(edge), 0, 1)
    return coverage, slice(top, bottom), slice(left, right)


def _thinned(line: list[tuple[float, float]], spacing: float) -> list[tuple[float, float]]:
    """Leave out points that hardly move; the first and the last one stay."""
    kept = line[:1]
    for point in line[1:-1]:
        if math.dist(point, kept[-1]) >= spacing:
            kept.append(point)
    return kept + line[1:][-1:]


def _span(positions: Sequence[float], reach: float, length: int) -> tuple[int, int]:
    return max(0, math.floor(min(positions) - reach)), min(length, math.ceil(max(positions) + reach) + 1)
