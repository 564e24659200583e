"""Reduce full-resolution planes to the network's size by exact area averages, strip by strip.

Enlargement (a photograph smaller than the network) goes by linear interpolation between pixel centres.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .control import Control

Planes: TypeAlias = NDArray[np.float32]
ReadRows: TypeAlias = Callable[[int, int], Planes]
"""Return rows [start, stop) as (planes, stop - start, width) float32."""

STRIP_PIXELS: Final = 1 << 18
"""Pixels read at a time: a strip of one plane stays within a core's second-level cache."""


def row_weights(n_in: int, n_out: int, index: int) -> tuple[int, NDArray[np.float32]]:
    """Return which inputs make output `index`, and their weights.

    Args:
        n_in: input length.
        n_out: output length.
        index: 0..n_out-1.

    Returns:
        The first input's index, and (k,) float32 weights that sum to 1: covered lengths when n_out <= n_in (area
        average), else linear interpolation.
    """
    scale = n_in / n_out
    if n_out <= n_in:
        start, stop = index * scale, (index + 1) * scale
        first, last = int(start), min(int(np.ceil(stop - 1e-9)), n_in)
        edges = np.clip(np.arange(first, last + 1, dtype=np.float64), start, stop)
        weights = np.diff(edges)
    else:
        centre = min(max((index + 0.5) * scale - 0.5, 0.0), n_in - 1.0)
        first = min(int(centre), n_in - 2) if n_in > 1 else 0
        part = centre - first
        weights = np.array([1 - part, part] if n_in > 1 else [1.0])
    return first, (weights / weights.sum()).astype(np.float32)


def reduce_columns(planes: Planes, n_out: int) -> Planes:
    """Reduce (..., h, w) along the last axis to `n_out` columns by area average (or linear enlargement)."""
    n_in = planes.shape[-1]
    if n_out == n_in:
        return planes
    if n_out > n_in:
        centres = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
        left = np.minimum(centres.astype(np.intp), max(n_in - 2, 0))
        right = np.minimum(left + 1, n_in - 1)
        part = (centres - left).astype(np.float32)
        return planes[..., left] * (1 - part) + planes[..., right] * part
    # The integral of the row at fractional positions; float64, so that long sums keep every digit of float32.
    total = np.zeros((*planes.shape[:-1], n_in + 1))
    np.cumsum(planes, axis=-1, out=total[..., 1:])
    edges = np.arange(n_out + 1) * (n_in / n_out)
    whole = np.minimum(edges.astype(np.intp), n_in - 1)
    at = total[..., whole] + (edges - whole) * planes[..., whole]
    return (np.diff(at, axis=-1) * (n_out / n_in)).astype(np.float32)


def reduce_area(
    read_rows: ReadRows,
    shape: tuple[int, int],
    out_shape: tuple[int, int],
    n_planes: int,
    *,
    executor: Executor,
    control: Control,
) -> Planes:
    """Reduce planes that are read strip by strip.

    Args:
        read_rows: thread-safe reader of rows; called with overlapping ranges of at most a few output rows.
        shape: (height, width) of what it reads.
        out_shape: (height, width) wanted.
        n_planes: number of planes that it returns.
        executor: runs the strips.
        control: checked before each strip.

    Returns:
        (n_planes, *out_shape) float32, area averages.
    """
    height, width = shape
    out_h, out_w = out_shape
    out = np.empty((n_planes, out_h, out_w), np.float32)
    per_strip = max(1, round(STRIP_PIXELS / max(1, width * max(1.0, height / out_h))))

    def work(first_out: int) -> None:
        control.check()
        stop_out = min(first_out + per_strip, out_h)
        spans = [row_weights(height, out_h, j) for j in range(first_out, stop_out)]
        start = spans[0][0]
        stop = max(first + len(w) for first, w in spans)
        rows = read_rows(start, stop)
        narrow = np.empty((n_planes, stop_out - first_out, width), np.float32)
        for i, (first, weights) in enumerate(spans):
            for p in range(n_planes):
                np.dot(weights, rows[p, first - start : first - start + len(weights)], out=narrow[p, i])
        out[:, first_out:stop_out] = reduce_columns(narrow, out_w)

    for done in [executor.submit(work, j) for j in range(0, out_h, per_strip)]:
        done.result()
    return out
