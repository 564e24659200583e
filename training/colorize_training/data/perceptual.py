"""Perceptual hash of a picture, and the test for toned (sepia, cyanotype) pictures."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_HASH_SIDE: Final = 8
_THUMBNAIL_SIDE: Final = 32
_IGNORED_BIT: Final = np.uint64(1 << 63)  # the mean brightness, which every picture has


def _dct_matrix(size: int) -> NDArray[np.float64]:
    """Type-II discrete cosine transform as a matrix (Ahmed, Natarajan and Rao 1974), not normalised."""
    k, n = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    return np.cos(np.pi * (2 * n + 1) * k / (2 * size))


_DCT: Final = _dct_matrix(_THUMBNAIL_SIDE)


def perceptual_hash(image: Image.Image) -> int:
    """Return the 64-bit DCT hash of a picture (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions", 2010): which of the 8 x 8 lowest frequencies of a 32 x 32 grey thumbnail lie above their median.

    The first bit stands for the mean and is the top bit.
    """  # noqa: D205  (the citation belongs to the sentence)
    side = _THUMBNAIL_SIDE
    grey = np.asarray(image.convert("L").resize((side, side), Image.Resampling.LANCZOS), dtype=np.float64)
    low = (_DCT @ grey @ _DCT.T)[:_HASH_SIDE, :_HASH_SIDE]
    bits = (low > np.median(low)).flatten()
    return int("".join("1" if bit else "0" for bit in bits), 2)


def distances(hashes: NDArray[np.uint64], to: int) -> NDArray[np.uint8]:
    """Return the Hamming distances of hashes to one hash, the top bit ignored."""
    return np.bitwise_count((hashes ^ np.uint64(to)) & ~_IGNORED_BIT)


def is_toned(lab: NDArray[np.float64], threshold: float = 3.0) -> bool:
    """Tell whether all colour of a picture follows from its lightness, as in sepia prints and cyanotypes.

    Args:
        lab: (pixels, 3) L*a*b*.
        threshold: RMS of a*b* around a quadratic of L*, below which the picture counts as toned (or grey).
    """
    t = lab[:, 0] / 50 - 1
    design = np.stack([np.ones_like(t), t, t * t], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, lab[:, 1:], rcond=None)
    residual = lab[:, 1:] - design @ coefficients
    return bool(np.sqrt((residual**2).sum(axis=1).mean()) < threshold)
