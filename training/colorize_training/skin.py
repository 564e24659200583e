"""Skin: is it wrong or grey, on outlines drawn by hand over pictures of the data set.

``skin_outlines.json`` holds polygons, as shares of width and height, by picture key; the photographs themselves stay
where they are.  Outlines lie well inside the skin, so that hair, eyes, lips and cloth are out.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from colorize_training.evaluation import Scene
from colorize_training.shards import Picture

OUTLINES_PATH: Final = Path(__file__).parent / "skin_outlines.json"

HUE_RANGE_DEGREES: Final = (0.0, 100.0)
_WRONG_CHROMA: Final = 6.0
_GREY_CHROMA: Final = 5.0
_TRUE_CHROMA: Final = 12.0

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


def evaluate_skin(found: Sequence[tuple[Scene, Tensor, list[Polygon]]]) -> dict[str, Any]:
    """Measure skin pixels of all pictures together, and by thirds of the pictures' true skin lightness.

    Args:
        found: scene, given a*b* (2, H, W), outlines.

    Returns:
        ``wrong`` (hue outside 0..100 degrees at C* > 6) and ``grey`` (C* < 5 where the truth has > 12) as shares of
        skin pixels, ``CIEDE2000`` means; each also for the dark, middle and light third of the pictures.
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
        rows.append(
            (float(lab[0].mean()), mask.sum(), _hue_is_wrong(chroma).sum(), grey.sum(), float(difference.mean()))
        )
    table = np.array(sorted(rows), dtype=np.float64)
    result: dict[str, Any] = {"pictures": float(len(table))}
    thirds = np.array_split(table, 3)
    for name, part in (("all", table), ("dark", thirds[0]), ("middle", thirds[1]), ("light", thirds[2])):
        pixels = part[:, 1].sum()
        result[f"{name}: wrong"] = float(part[:, 2].sum() / pixels)
        result[f"{name}: grey"] = float(part[:, 3].sum() / pixels)
        result[f"{name}: CIEDE2000"] = float(part[:, 4].mean())
    result["dark / all CIEDE2000"] = result["dark: CIEDE2000"] / result["all: CIEDE2000"]
    return result
