"""What an artist painted on a layer of colour, found by comparing the layer with what was laid there.

A stroke is a connected patch whose a*b* differ; its soft edge is unmixed: the stroke's own colour is known from where
it is strongest, and every pixel around it is a mixture of that colour and what was laid.  Only chroma is compared: the
layer's lightness means nothing in a mode of colour.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..color.rgb import SRGB
from .control import Control
from .hints import Rgba

Plane: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

THRESHOLD: Final = 3.0
"""a*b*; less is rounding, and what mending the photograph changes in a layer that is laid again."""
GROWTH_PX: Final = 7
"""How far a stroke's soft edge reaches beyond where it differs by `THRESHOLD`."""
MIN_AREA_PX: Final = 12
"""Smaller patches are grain."""
ONE_COLOUR: Final = 25.0
"""R'G'B' levels; a stroke whose strong part spreads more is a gradient, which has no colour to be unmixed."""
STRONG: Final = 0.6
"""Quantile of a stroke's difference from which its own colour is taken."""
MIN_ALPHA: Final = 0.03
GREY: Final = 128
"""R'G'B' level of a stroke that stands for what was erased."""
_ROWS: Final = 256


def lift(laid: Rgba, painted: Rgba, control: Control | None = None) -> Rgba:
    """Return what was painted.

    Args:
        laid: (height, width, 4) uint8, sRGB, straight alpha: the layer as it was laid.
        painted: the same shape: the layer as it is now.
        control: progress and cancellation.

    Returns:
        (height, width, 4) uint8: the strokes alone, alpha 0 elsewhere.  What was erased comes back as strokes of grey.
    """
    control = control or Control()
    strokes = np.zeros_like(painted)
    difference = _chroma_difference(laid, painted, control)
    erased = (laid[..., 3] > 0) & (painted[..., 3] < laid[..., 3])
    labels, boxes = patches(_opened(difference > THRESHOLD))
    for done, (label, box) in enumerate(boxes.items()):
        control.check()
        control.report(0.5 + 0.5 * done / len(boxes))
        _unmix(labels, label, box, difference, laid, painted, strokes)
    if erased.any():
        kept = painted[..., 3][erased] / laid[..., 3][erased].astype(np.float32)
        alpha = np.rint(255 * (1 - kept)).astype(np.uint8)
        under = strokes[erased]
        under[:, :3] = np.where((alpha > under[:, 3])[:, None], GREY, under[:, :3])
        under[:, 3] = np.maximum(alpha, under[:, 3])
        strokes[erased] = under
    return strokes


def _chroma_difference(laid: Rgba, painted: Rgba, control: Control) -> Plane:
    """Return the distance of two layers in a*b*, 0 where one of them shows nothing."""
    height, width = laid.shape[:2]
    difference = np.zeros((height, width), np.float32)
    for start in range(0, height, _ROWS):
        control.check()
        rows = slice(start, min(start + _ROWS, height))
        changed = (laid[rows, :, :3] != painted[rows, :, :3]).any(axis=-1)
        changed &= (laid[rows, :, 3] > 0) & (painted[rows, :, 3] > 0)
        if changed.any():
            before, now = (SRGB.lab_from_encoded(p[rows][changed][:, :3] / np.float32(255)) for p in (laid, painted))
            difference[rows][changed] = np.hypot(now[:, 1] - before[:, 1], now[:, 2] - before[:, 2])
        control.report(0.5 * rows.stop / height)
    return difference


def _opened(mask: Mask) -> Mask:
    """Return a mask without what is thinner than three pixels (3 x 3 opening)."""
    return _dilated(~_dilated(~mask))


def _dilated(mask: Mask) -> Mask:
    """Grow a mask by one pixel, diagonally too."""
    down = mask.copy()
    down[1:] |= mask[:-1]
    down[:-1] |= mask[1:]
    out = down.copy()
    out[:, 1:] |= down[:, :-1]
    out[:, :-1] |= down[:, 1:]
    return out


Box: TypeAlias = tuple[int, int, int, int]


def patches(mask: Mask) -> tuple[NDArray[np.int32], dict[int, Box]]:
    """Label the connected patches of a mask (8 neighbours), those of fewer than `MIN_AREA_PX` left out.

    Returns:
        (height, width) int32 labels, 0 outside, and each label's rows and columns: top, bottom, left, right.
    """
    rows, starts, stops = _runs(mask)
    parent = _joined(rows, starts, stops)
    labels = np.zeros(mask.shape, np.int32)
    area = np.bincount(parent, weights=stops - starts, minlength=1) if len(parent) else np.zeros(1)
    boxes: dict[int, Box] = {}
    for row, start, stop, root in zip(rows.tolist(), starts.tolist(), stops.tolist(), parent.tolist(), strict=True):
        if area[root] < MIN_AREA_PX:
            continue
        labels[row, start:stop] = root + 1
        top, bottom, left, right = boxes.get(root + 1, (row, row, start, stop))
        boxes[root + 1] = (min(top, row), max(bottom, row + 1), min(left, start), max(right, stop))
    return labels, boxes


def _runs(mask: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return row, first column and column behind the last of every run of a mask, in order."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    return rows, starts, np.nonzero(edges == -1)[1]


def _joined(rows: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each run the first run of its patch: union-find over runs that touch in neighbouring rows."""
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    first = np.searchsorted(rows, np.arange(rows[-1] + 2)).tolist() if len(rows) else []
    begin, end = starts.tolist(), stops.tolist()
    for row in range(1, len(first) - 1):
        upper, lower = first[row - 1], first[row]
        while upper < first[row] and lower < first[row + 1]:
            if begin[upper] <= end[lower] and begin[lower] <= end[upper]:
                one, other = root(upper), root(lower)
                parent[max(one, other)] = min(one, other)
            if end[upper] < end[lower]:
                upper += 1
            else:
                lower += 1
    return np.array([root(run) for run in range(len(parent))], np.int64)


def _unmix(
    labels: NDArray[np.int32], label: int, box: Box, difference: Plane, laid: Rgba, painted: Rgba, strokes: Rgba
) -> None:
    """Write colour and coverage of one stroke, its soft edge included."""
    height, width = labels.shape
    rows = slice(max(box[0] - GROWTH_PX, 0), min(box[1] + GROWTH_PX, height))
    columns = slice(max(box[2] - GROWTH_PX, 0), min(box[3] + GROWTH_PX, width))
    own = labels[rows, columns] == label
    grown = own
    for _ in range(GROWTH_PX):
        grown = _dilated(grown)
    before = laid[rows, columns, :3].astype(np.float32)
    now = painted[rows, columns, :3].astype(np.float32)
    at = grown & ((labels[rows, columns] == label) | (labels[rows, columns] == 0)) & (before != now).any(axis=-1)
    strength = difference[rows, columns]
    strong = own & (strength >= np.quantile(strength[own], STRONG))
    target = strokes[rows, columns]
    if now[strong].std(axis=0).max() < ONE_COLOUR:
        colour = np.median(now[strong], axis=0)
        way = colour - before[at]
        alpha = ((now[at] - before[at]) * way).sum(axis=-1) / np.maximum((way * way).sum(axis=-1), 1)
        colours = np.broadcast_to(colour, way.shape)
    else:
        alpha = (strength[at] - 1) / np.float32(THRESHOLD)
        colours = now[at]
    alpha = np.clip(alpha, 0, 1)
    alpha[alpha < MIN_ALPHA] = 0
    level = np.rint(255 * alpha).astype(np.uint8)
    found = target[at]
    stronger = level > found[:, 3]
    found[stronger, :3] = np.rint(colours[stronger]).astype(np.uint8)
    found[stronger, 3] = level[stronger]
    target[at] = found
