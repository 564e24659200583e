"""Objects of other colours: one thing of a sample is recoloured and says so with a dab or three; the rest stays true.

So the network learns that an odd hint speaks of its own object alone, while true hints on whole pictures, beside it,
go on to tell about the rest.
"""

from typing import Final

import cv2
import numpy as np
from colorize_server import contract
from numpy.typing import NDArray

_OBJECTS_MAX: Final = 2
_SHARES: Final = (0.004, 0.5)
"""Of the picture that an object may cover: smaller ones are specks, larger ones are the whole picture."""

_DABS_MAX: Final = 3
_LIGHTNESS_TOLERANCE: Final = 1.6
"""Lightness within an object varies more than its colour: folds and shadows."""


def object_mask(lab: NDArray[np.float32], y: int, x: int, tolerance: float) -> NDArray[np.bool_]:
    """Find the connected region of like lightness and colour around a place.

    Args:
        lab: (H, W, 3) L*a*b*.
        y: row of the place.
        x: column of the place.
        tolerance: a*b* units that its colour may differ by.

    Returns:
        (H, W) bool.
    """
    smooth = cv2.bilateralFilter(lab, 7, 12, 5)
    mask = np.zeros((lab.shape[0] + 2, lab.shape[1] + 2), np.uint8)
    reach = (tolerance * _LIGHTNESS_TOLERANCE, tolerance, tolerance)
    flags = cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 8 | (255 << 8)
    cv2.floodFill(smooth, mask, (x, y), (0, 0, 0), reach, reach, flags)
    return mask[1:-1, 1:-1] > 0


def _other_colours(chroma: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return (2, H, W) other colours: mostly the hue turned, else one paint over all of it."""
    if rng.random() < 0.7:
        angle, strength = rng.uniform(-np.pi, np.pi), rng.uniform(0.7, 1.5)
        c, s = np.cos(angle) * strength, np.sin(angle) * strength
        turned = np.stack([c * chroma[0] - s * chroma[1], s * chroma[0] + c * chroma[1]])
        return turned.astype(np.float32)
    paint = rng.normal(0, 0.22, 2)[:, None, None]
    return (0.8 * paint + 0.2 * chroma).astype(np.float32)


def recolour_objects(
    lightness: NDArray[np.float32], chroma: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Recolour one or two objects of a sample.

    Args:
        lightness: (H, W) L*.
        chroma: (2, H, W) true chroma, network units.
        rng: of the sample.

    Returns:
        The new truth (2, H, W), and (3, H, W) hints that name the new colours.
    """
    height, width = lightness.shape
    lab = np.ascontiguousarray(np.dstack([lightness, *(chroma * contract.CHROMA_SCALE)]), np.float32)
    hints = np.zeros((3, height, width), np.float32)
    for _ in range(int(rng.integers(1, _OBJECTS_MAX + 1))):
        mask = object_mask(lab, int(rng.integers(height)), int(rng.integers(width)), rng.uniform(5, 12))
        other = _other_colours(chroma, rng)
        if not _SHARES[0] < mask.mean() < _SHARES[1]:
            continue
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
        chroma = chroma * (1 - soft) + other * soft
        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        rows, columns = np.nonzero(inner if inner.any() else mask)
        for _ in range(int(rng.integers(1, _DABS_MAX + 1))):
            place = int(rng.integers(len(rows)))
            half = int(rng.integers(0, 7))
            y, x = int(rows[place]), int(columns[place])
            window = np.zeros_like(mask)
            window[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = True
            # Painters do not keep to the edge to a pixel: half of the dabs reach over it.
            dab = window if rng.random() < 0.5 else window & mask
            hints[:2, dab] = chroma[:, window & mask].mean(axis=1, keepdims=True)
            hints[2, dab] = 1.0 if rng.random() < 0.7 else rng.uniform(0.2, 1)
    return chroma, hints
