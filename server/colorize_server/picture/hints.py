"""Strokes of colour: from RGBA pixels to the network's hints, and their anchoring in its answer.

The network sees a stroke as the coverage-weighted mean of its chroma at network size, so that a stroke of three pixels
on a large scan still counts.  What the network then makes of it is corrected to the stroke's own colour: the
difference is carried from the stroke to its surroundings along the photograph's edges, and under the stroke, at full
resolution, the stroke's colour stands as it was painted.
"""

from concurrent.futures import Executor
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..color.cie import lab_from_relative_xyz
from ..color.rgb import SRGB
from ..contract import CHROMA_SCALE
from ..errors import HintsError
from .control import Control
from .reduce import reduce_area

Plane: TypeAlias = NDArray[np.float32]
Rgba: TypeAlias = NDArray[np.uint8]

_LINEAR: Final = SRGB.curves[0].linear_table(256)
SPREAD_STEPS: Final = 60
"""Diffusion steps at network size; half of a correction is left 5 network pixels from its stroke."""
SPREAD_SIGMA: Final = 4.0
"""L*; a correction crosses an edge of this height at 60 % of its strength per step."""
SPREAD_RATE: Final = 0.24
"""Part of the difference between neighbours that a step evens out; an explicit scheme is stable up to 0.25."""
FULL_TRUST: Final = 4.0
"""Coverage of 1 / FULL_TRUST binds a network pixel entirely."""
REACH: Final = 6
"""Exponent that lifts the strength of what has spread."""
SPREAD_LOSS: Final = 0.02
"""Part of a correction that each step loses, so that it fades instead of flooding the picture."""


def check_hints(hints: NDArray[np.generic], height: int, width: int) -> None:
    """Raise HintsError unless `hints` is (height, width, 4) uint8."""
    if hints.dtype != np.uint8 or hints.ndim != 3 or hints.shape[2] != 4:
        raise HintsError("The hints are not an RGBA picture of 8 bits.", "Paint them on a transparent layer.")
    if hints.shape[:2] != (height, width):
        raise HintsError(
            f"The hints have {hints.shape[1]} x {hints.shape[0]} pixels, the photograph {width} x {height}.",
            "Make the hints exactly as large as the photograph.",
        )


def check_strokes(hints: Rgba) -> None:
    """Raise HintsError where hints of (height, width, 4) cannot be meant as strokes: none at all, or no ground."""
    alpha = hints[..., 3]
    if not alpha.any():
        raise HintsError("They are all transparent.", "Paint strokes of colour on them, or leave --hints out.")
    if alpha.all():
        raise HintsError(
            "They cover the whole photograph.", "Save the strokes alone, on a transparent ground, not flattened."
        )


def stroke_chroma(hints: Rgba, *, white: str = "D65") -> tuple[Plane, Plane, Plane]:
    """Return a*, b* and coverage of strokes.

    Args:
        hints: (rows, width, 4) uint8, sRGB, straight alpha.
        white: "D65" or "D50", what a*b* are relative to.

    Returns:
        Three (rows, width) float32 planes: a*, b* (0 where nothing is painted), coverage 0..1.
    """
    shape = hints.shape[:2]
    coverage = hints[..., 3].astype(np.float32) / np.float32(255)
    a, b = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    painted = hints[..., 3] > 0
    if painted.any():
        linear = _LINEAR.take(hints[painted][:, :3])
        matrix = SRGB.to_relative_xyz if white == "D65" else SRGB.to_relative_xyz_d50
        lab = lab_from_relative_xyz(linear @ matrix.T.astype(np.float32))
        a[painted], b[painted] = lab[:, 1], lab[:, 2]
    return a, b, coverage


def network_hints(hints: Rgba, out_shape: tuple[int, int], *, executor: Executor, control: Control) -> Plane:
    """Return the network's `hints` planes.

    Args:
        hints: (height, width, 4) uint8, sRGB, straight alpha.
        out_shape: (h, w) of the network's picture, before padding.
        executor: runs the strips.
        control: checked before each strip.

    Returns:
        (4, h, w) float32: a* / CHROMA_SCALE, b* / CHROMA_SCALE (means weighted by coverage), coverage, and strength:
        how opaque the strokes there are, whatever part of the pixel they cover.
    """

    def read(start: int, stop: int) -> Plane:
        a, b, coverage = stroke_chroma(hints[start:stop])
        return np.stack([a * coverage, b * coverage, coverage, coverage * coverage])

    sums = reduce_area(read, hints.shape[:2], out_shape, 4, executor=executor, control=control)
    coverage = np.clip(sums[2], 0, 1)
    touched = coverage > 1e-4
    divisor = np.where(touched, coverage, 1)
    strength = np.where(touched, np.clip(sums[3] / divisor, 0, 1), 0)
    planes = np.where(touched, sums[:2] / divisor / np.float32(CHROMA_SCALE), 0)
    return np.concatenate([planes, (coverage * touched)[None], strength[None]]).astype(np.float32)


def without_faint_strokes(hints: Plane) -> Plane:
    """Return (3, h, w) float32, what the network is told of the (4, h, w) planes of `network_hints`.

    The network takes the slightest stroke for a whole one.  So it is told only of what is more than half there, the
    less, the fainter it is; the rest is left to the anchoring.
    """
    return hints[:3] * np.clip(2 * hints[3] - 1, 0, 1)


def anchor_at_network_size(chroma: Plane, hints: Plane, lightness: Plane) -> Plane:
    """Correct the network's chroma to the strokes, and carry the correction along the photograph's edges.

    Args:
        chroma: (2, h, w) float32, a*b*.
        hints: (4, h, w) float32, from `network_hints`.
        lightness: (h, w) float32, L*.

    Returns:
        (2, h, w) float32, a*b*; new array.
    """
    rows, columns = _within_reach(hints[2])
    corrected = chroma.copy()
    near = (slice(None), rows, columns)
    corrected[near] = _anchored(chroma[near], hints[near], lightness[rows, columns])
    return corrected


def _within_reach(coverage: Plane) -> tuple[slice, slice]:
    """Return the rows and columns that a correction can reach: a step of the diffusion moves it by one pixel."""
    spans = []
    for axis in (1, 0):
        touched = np.flatnonzero(coverage.any(axis=axis))
        first, last = (touched[0], touched[-1]) if touched.size else (0, -SPREAD_STEPS - 1)
        spans.append(slice(max(0, first - SPREAD_STEPS), max(0, last + SPREAD_STEPS + 1)))
    return spans[0], spans[1]


def _anchored(chroma: Plane, hints: Plane, lightness: Plane) -> Plane:
    coverage, strength = hints[2:]
    # A stroke narrower than a network pixel still says what the object is: a quarter of the pixel is enough.
    covered = coverage / np.maximum(strength, np.float32(1e-6))
    trust = np.minimum(covered * np.float32(FULL_TRUST), 1)
    # A faint stroke asks for a part of the way to its colour.
    correction = strength * (hints[:2] * np.float32(CHROMA_SCALE) - chroma)
    seed = np.concatenate([correction, np.ones_like(trust)[None]])
    # Correction times strength, and strength: diffused together, so that their quotient is a weighted mean.
    state = seed * trust
    pass_y, pass_x = (
        np.exp(-0.5 * (np.diff(lightness, axis=axis) / np.float32(SPREAD_SIGMA)) ** 2) * np.float32(SPREAD_RATE)
        for axis in (0, 1)
    )
    for _ in range(SPREAD_STEPS):
        flow_y = np.diff(state, axis=1) * pass_y
        flow_x = np.diff(state, axis=2) * pass_x
        state[:, :-1] += flow_y
        state[:, 1:] -= flow_y
        state[:, :, :-1] += flow_x
        state[:, :, 1:] -= flow_x
        state *= np.float32(1 - SPREAD_LOSS)
        state += (seed - state) * trust
    reach = np.clip(state[2], 0, 1)
    correction = state[:2] / np.maximum(state[2], np.float32(1e-6))
    # What has spread thins out fast around a small stroke; within its reach the correction should be nearly whole.
    return chroma + correction * (1 - (1 - reach) ** REACH)


def anchor_rows(a: Plane, b: Plane, hints: Rgba, *, white: str) -> None:
    """Set a* and b* of full-resolution rows to the strokes' own where they are painted, in place.

    Args:
        a: (rows, width) float32.
        b: (rows, width) float32.
        hints: (rows, width, 4) uint8.
        white: "D65" or "D50", what a*b* are relative to.
    """
    if not hints[..., 3].any():
        return
    stroke_a, stroke_b, coverage = stroke_chroma(hints, white=white)
    a += (stroke_a - a) * coverage
    b += (stroke_b - b) * coverage
