"""What a painter sees of hints: how far an odd dab reaches, and what strokes at the worst places bring.

All at the short side of 256 px, one run of the network a stroke, hints put back afterwards where they were painted.
"""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import torch
from colorize_server import contract
from colorize_server.color.difference import ciede2000
from numpy.typing import NDArray
from torch.nn import functional

from colorize_training.measure import metrics
from colorize_training.measure.evaluation import Scene
from colorize_training.models.predictor import Predictor, Suggester, predict_padded
from colorize_training.samples.hints import stroke_mask

STROKES: Final = (1, 5, 20)
_ARTIST_PICTURES: Final = 20
_DAB_HALF: Final = 5
_STROKE_RADIUS: Final = 28.0
_FAR_PX: Final = 60.0
_MARGIN_PX: Final = 20
_COLOURED: Final = 4.0
_HIT: Final = 10.0
_WORSE_FIRST: Final = 0.5
_WORSE_STEP: Final = 0.1


def _colours(predictor: Predictor, scene: Scene, hints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the network on one scene with hints; (2, H, W) a*b*."""
    luminance = scene.lab[None, :1] / contract.LIGHTNESS_SCALE - 1
    chroma, _ = predict_padded(predictor, luminance, torch.from_numpy(hints)[None])
    found: NDArray[np.float32] = chroma[0].numpy() * np.float32(contract.CHROMA_SCALE)
    return found


def _no_hints(scene: Scene) -> NDArray[np.float32]:
    return np.zeros((3, *scene.lab.shape[1:]), np.float32)


def _put_dab(hints: NDArray[np.float32], y: int, x: int, colour: NDArray[np.floating]) -> None:
    window = (slice(y - _DAB_HALF, y + _DAB_HALF + 1), slice(x - _DAB_HALF, x + _DAB_HALF + 1))
    hints[(slice(0, 2), *window)] = colour[:, None, None] / contract.CHROMA_SCALE
    hints[(2, *window)] = 1.0


def odd_dab(predictor: Predictor, scene: Scene, base: NDArray[np.float32], degrees: float) -> tuple[float, float]:
    """Dab the most colourful place with its own colour turned in hue, and look at what is more than 60 px away.

    Returns:
        The turn there, degrees, and the mean movement, a*b* units; zero where nothing coloured is far away.
    """
    vivid = cv2.GaussianBlur(np.hypot(*base), (0, 0), 6)
    inner = np.zeros_like(vivid)
    inside = (slice(_MARGIN_PX, -_MARGIN_PX), slice(_MARGIN_PX, -_MARGIN_PX))
    inner[inside] = vivid[inside]
    y, x = (int(i) for i in np.unravel_index(inner.argmax(), inner.shape))
    rows, columns = np.ogrid[: vivid.shape[0], : vivid.shape[1]]
    is_far = (np.hypot(rows - y, columns - x) > _FAR_PX) & (np.hypot(*base) > _COLOURED)
    if not is_far.any():
        return 0.0, 0.0
    own = base[:, y - 2 : y + 3, x - 2 : x + 3].mean(axis=(1, 2))
    turned = (own[0] + 1j * own[1]) * np.exp(1j * np.radians(degrees))
    hints = _no_hints(scene)
    _put_dab(hints, y, x, np.array([turned.real, turned.imag]))
    given = _colours(predictor, scene, hints)
    before, after = (c[0][is_far] + 1j * c[1][is_far] for c in (base, given))
    turn = float(np.degrees(np.abs(np.angle((after * before.conj()).sum()))))
    return turn, float(np.abs(after - before).mean())


def _worst_place(given: NDArray[np.float32], true: NDArray[np.float32], is_done: NDArray[np.bool_]) -> tuple[int, int]:
    """Find the worst neighbourhood that is not painted yet; in it the pixel of its most ordinary true colour."""
    error = cv2.GaussianBlur(((given - true) ** 2).sum(axis=0), (0, 0), 8)
    error[is_done] = -1
    y, x = (int(i) for i in np.unravel_index(error.argmax(), error.shape))
    top, left = max(0, y - 8), max(0, x - 8)
    around = true[:, top : y + 9, left : x + 9]
    ordinary = np.median(around.reshape(2, -1), axis=1)[:, None, None]
    row, column = np.unravel_index(((around - ordinary) ** 2).sum(axis=0).argmin(), around.shape[1:])
    return top + int(row), left + int(column)


def first_dab(predictor: Predictor, scene: Scene, base: NDArray[np.float32]) -> float:
    """Return by how much one true dab at the worst place changes the mean a*b* error; above 0 is worse."""
    true = scene.lab[1:].numpy()
    error = cv2.GaussianBlur(np.hypot(*(base - true)), (0, 0), 6)
    y, x = (int(i) for i in np.unravel_index(error.argmax(), error.shape))
    y = min(max(y, _DAB_HALF + 1), true.shape[1] - _DAB_HALF - 2)
    x = min(max(x, _DAB_HALF + 1), true.shape[2] - _DAB_HALF - 2)
    hints = _no_hints(scene)
    _put_dab(hints, y, x, true[:, y - 3 : y + 4, x - 3 : x + 4].mean(axis=(1, 2)))
    given = _colours(predictor, scene, hints)
    return float(np.hypot(*(given - true)).mean() - np.hypot(*(base - true)).mean())


def artists_curve(predictor: Predictor, scene: Scene, strokes: int) -> list[float]:
    """Return the mean CIEDE2000 after 0, 1, ... broad strokes of true colour, each at the worst place left."""
    true: NDArray[np.float32] = scene.lab[1:].numpy()
    network_true = (true / contract.CHROMA_SCALE).astype(np.float32)
    picture = np.moveaxis(scene.lab.numpy(), 0, -1)
    hints = _no_hints(scene)
    is_done = np.zeros(true.shape[1:], bool)
    curve = []
    for step in range(strokes + 1):
        given = _colours(predictor, scene, hints)
        painted = hints[2] > 0
        given[:, painted] = hints[:2, painted] * contract.CHROMA_SCALE
        curve.append(float(ciede2000(np.dstack([picture[..., 0], *given]), picture).mean()))
        if step < strokes:
            y, x = _worst_place(given, true, is_done)
            stroke = stroke_mask(network_true, y, x, _STROKE_RADIUS)
            is_done |= cv2.dilate(stroke.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            hints[:2, stroke] = true[:, stroke].mean(axis=1, keepdims=True) / contract.CHROMA_SCALE
            hints[2, stroke] = 1.0
    return curve


def palette_hits(predictor: Predictor, scenes: Sequence[Scene]) -> dict[str, metrics.Interval]:
    """Return the share of places where one of 5, or 7, suggested colours is within 10 a*b* of the true one.

    The places are all cells of 8 px; the true colour is that of the cell's middle 2 x 2 px.  Empty without suggestions.
    """
    if not isinstance(predictor, Suggester):
        return {}
    shares: dict[int, list[float]] = {5: [], contract.SUGGESTIONS: []}
    for scene in scenes:
        height, width = (side // predictor.multiple_of * predictor.multiple_of for side in scene.lab.shape[1:])
        lab = scene.lab[None, :, :height, :width]
        found = predictor.colours(lab[:, :1] / contract.LIGHTNESS_SCALE - 1, torch.zeros(1, 3, height, width))
        if found is None:
            return {}
        true = functional.avg_pool2d(lab[:, 1:, 3:, 3:], 2, stride=contract.COLOURS_STRIDE)
        distance = (found[0, :, :2] * contract.CHROMA_SCALE - true).norm(dim=1)
        for count, hits in shares.items():
            hits.append(float((distance[:count].amin(dim=0) <= _HIT).float().mean()))
    return {
        f"true colour within 10 of one of {count}": metrics.bootstrap(metrics.mean_of, np.array(hits)[:, None])
        for count, hits in shares.items()
    }


def evaluate_painter(predictor: Predictor, scenes: Sequence[Scene]) -> dict[str, metrics.Interval]:
    """Measure odd dabs, the first true dab and the artist's curve, each with its interval over the pictures."""
    turns, moves, first = [], [], []
    for scene in scenes:
        base = _colours(predictor, scene, _no_hints(scene))
        turn, moved = odd_dab(predictor, scene, base, 90.0)
        turns.append(turn)
        moves.append(moved)
        first.append(first_dab(predictor, scene, base))
    artists = scenes[:: max(1, len(scenes) // _ARTIST_PICTURES)]
    curves = np.array([artists_curve(predictor, scene, max(STROKES)) for scene in artists])
    hits = palette_hits(predictor, scenes)
    steps = np.diff(curves, axis=1)

    def mean(values: NDArray[Any] | list[float]) -> metrics.Interval:
        return metrics.bootstrap(metrics.mean_of, np.asarray(values, np.float64)[:, None])

    return {
        "far turn by a dab at 90 degrees": metrics.bootstrap(metrics.median_of, np.array(turns)[:, None]),
        "far movement by it, a*b*": mean(moves),
        "share made worse by the first dab": mean(np.array(first) > _WORSE_FIRST),
        **{f"CIEDE2000 after {n} strokes": mean(curves[:, n]) for n in (0, *STROKES)},
        "share of strokes that make it worse": mean((steps > _WORSE_STEP).mean(axis=1)),
        **hits,
    }
