"""Skin: is it wrong or grey, on outlines drawn by hand over pictures of the data set.

``skin_outlines.json`` holds polygons, as shares of width and height, by picture key; the photographs themselves stay
where they are.  Outlines lie well inside the skin, so that hair, eyes, lips and cloth are out.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from colorize_training.data.shards import Picture
from colorize_training.measure.evaluation import Scene

OUTLINES_PATH: Final = Path(__file__).parent / "skin_outlines.json"

HUE_RANGE_DEGREES: Final = (0.0, 100.0)
_WRONG_CHROMA: Final = 6.0
_GREY_CHROMA: Final = 5.0
_TRUE_CHROMA: Final = 12.0

THIRDS: Final = ("dark", "middle", "light")

Polygon = list[list[float]]  # [x, y] as shares of width and height


def read_outlines(path: Path = OUTLINES_PATH) -> dict[str, list[Polygon]]:
    """Read the outlines: picture key to polygons."""
    outlines: dict[str, list[Polygon]] = json.loads(path.read_text(encoding="utf-8"))
    return outlines


def masks_for(pictures: Sequence[Picture]) -> dict[Picture, list[Polygon]]:
    """Return the outlines of those pictures that have them (none for other data sets than ours)."""
    outlines = read_outlines()
    return {p: outlines[p.key] for p in pictures if p.key in outlines}


def mask_from_polygons(polygons: Sequence[Polygon], height: int, width: int) -> NDArray[np.bool_]:
    """Fill polygons; (H, W) bool."""
    image = Image.new("1", (width, height), 0)
    draw = ImageDraw.Draw(image)
    for polygon in polygons:
        draw.polygon([(x * width, y * height) for x, y in polygon], fill=1)
    return np.asarray(image, dtype=bool)


def _hue_is_wrong(chroma: NDArray[np.float32]) -> NDArray[np.bool_]:
    hue = np.degrees(np.arctan2(chroma[1], chroma[0]))
    low, high = HUE_RANGE_DEGREES
    return ((hue < low) | (hue > high)) & (np.hypot(*chroma) > _WRONG_CHROMA)


def skin_rows(found: Sequence[tuple[Scene, Tensor, list[Polygon]]]) -> NDArray[np.float64]:
    """Measure the skin of each picture.

    Args:
        found: scene, given a*b* (2, H, W), outlines.

    Returns:
        (pictures, 5): true mean L*, pixels of skin, those of wrong hue (outside 0..100 degrees at C* > 6), those that
        are grey (C* < 5 where the truth has > 12), mean CIEDE2000.
    """
    from colorize_server.color.difference import ciede2000

    rows = []
    for scene, given, polygons in found:
        mask = mask_from_polygons(polygons, *scene.rgb.shape[:2])
        lab = scene.lab.numpy()[:, mask]
        chroma = given.numpy()[:, mask]
        true_chroma = np.hypot(lab[1], lab[2])
        grey = (np.hypot(chroma[0], chroma[1]) < _GREY_CHROMA) & (true_chroma > _TRUE_CHROMA)
        ours = np.concatenate([lab[:1], chroma])
        difference = ciede2000(ours.T, lab.T)
        rows.append((lab[0].mean(), mask.sum(), _hue_is_wrong(chroma).sum(), grey.sum(), difference.mean()))
    return np.array(rows, dtype=np.float64)


def _part(rows: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return all rows of (..., pictures, 5), or a third of them by the skin's lightness."""
    if name == "all":
        return rows
    order = np.argsort(rows[..., 0], axis=-1)[..., None]
    thirds = np.array_split(np.take_along_axis(rows, order, axis=-2), len(THIRDS), axis=-2)
    return thirds[THIRDS.index(name)]


def _share(column: int, name: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    members = _part(rows, name)
    return members[..., column].sum(axis=-1) / members[..., 1].sum(axis=-1)


def _difference(name: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return _part(rows, name)[..., 4].mean(axis=-1)


def _darkest(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return _difference("dark", rows) / _difference("all", rows)


def statistics() -> dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Return what is told of skin: functions of (..., pictures, 5) of :func:`skin_rows`, three pictures or more.

    ``wrong`` and ``grey`` as shares of skin pixels, ``CIEDE2000`` means; of all pictures, and of the dark, middle and
    light third of them by the true lightness of their skin.
    """
    named: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {}
    for name in ("all", *THIRDS):
        named[f"{name}: wrong"] = partial(_share, 2, name)
        named[f"{name}: grey"] = partial(_share, 3, name)
        named[f"{name}: CIEDE2000"] = partial(_difference, name)
    named["dark / all CIEDE2000"] = _darkest
    return named
