"""Find faces with dark skin among aligned face crops, so that a run can draw them more often.

Dark skin is rare in the data, and a network errs where it has seen little.  Only sources whose pictures are face crops
aligned by the eyes are looked at: there the cheeks are always in the same two places.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from colorize_training import color
from colorize_training.data.shards import Picture, PictureStore

ALIGNED_KEY_PREFIXES: Final = ("utk_",)
"""Beginnings of the keys of aligned face crops (UTKFace)."""

_CHEEKS: Final = ((0.30, 0.60), (0.70, 0.60))
_HALF_WINDOW: Final = 0.06
_DARK_SHARE: Final = 1 / 3


def cheek_lightness(rgb8: NDArray[np.uint8]) -> float:
    """Return the mean L* of both cheeks of an aligned face crop, (H, W, 3) uint8."""
    height, width = rgb8.shape[:2]
    half = max(1, round(_HALF_WINDOW * width))
    values = []
    for x, y in _CHEEKS:
        row, column = round(y * height), round(x * width)
        window = rgb8[row - half : row + half, column - half : column + half]
        planes = torch.from_numpy(window.copy()).permute(2, 0, 1)
        values.append(float(color.lab_from_linear(color.linear_from_srgb8(planes))[0].mean()))
    return float(np.mean(values))


def dark_faces(store: PictureStore, pictures: Sequence[Picture]) -> list[Picture]:
    """Return the darkest third of the aligned face crops, darkest first."""
    faces = [p for p in pictures if p.key.startswith(ALIGNED_KEY_PREFIXES)]
    by_lightness = sorted((cheek_lightness(np.asarray(store.open(p))), p.key, p) for p in faces)
    return [picture for _, _, picture in by_lightness[: round(len(faces) * _DARK_SHARE)]]


def oversampled(people: Sequence[Picture], dark: Sequence[Picture], share: float) -> list[Picture]:
    """Repeat the dark faces until they make up a share of the list; nothing changes if there are none.

    Args:
        people: all pictures of the set, the dark ones among them.
        dark: those to repeat.
        share: 0..1 of the returned list.
    """
    if not dark or share <= 0:
        return list(people)
    others = len(people) - len(dark)
    wanted = round(others * share / (1 - share))
    repeats = [dark[i % len(dark)] for i in range(max(0, wanted - len(dark)))]
    return [*people, *repeats]
