"""CIE 1976 L*a*b* and its parts, exactly as CIE 15:2018 writes them.

Everything is relative to the white of the space at hand: XYZ are divided by the white's XYZ before they come here
("relative XYZ"), so that a neutral has a* = b* = 0 to the last bit.  float32 in, float32 out; float64 likewise.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]

DELTA: Final = 6 / 29
"""Where the cube root gives way to a straight line (CIE 15:2018, 8.2.1)."""


def f_from_relative(t: Floats) -> Floats:
    """Return CIE's f(t): the cube root above DELTA³, its continuation by a line below.

    Args:
        t: any shape, relative X, Y or Z, usually 0..1; negative values (out of gamut) go along the line.

    Returns:
        Same shape and dtype; new array.
    """
    above = np.cbrt(np.maximum(t, DELTA**3))
    below = np.minimum(t - DELTA**3, 0) / (3 * DELTA**2)
    return np.add(above, below, dtype=t.dtype)


def relative_from_f(f: Floats) -> Floats:
    """Invert `f_from_relative`; same shape and dtype, new array."""
    above = np.maximum(f, DELTA) ** 3
    below = np.minimum(f - DELTA, 0) * (3 * DELTA**2)
    return np.add(above, below, dtype=f.dtype)


def lightness_from_y(y: Floats) -> Floats:
    """Return L* (0..100 for y in 0..1) of relative luminance `y`; same shape and dtype."""
    return np.subtract(116 * f_from_relative(y), 16, dtype=y.dtype)


def y_from_lightness(lightness: Floats) -> Floats:
    """Return relative luminance of L*; same shape and dtype."""
    return relative_from_f(np.divide(lightness + 16, 116, dtype=lightness.dtype))


def lab_from_relative_xyz(xyz: Floats) -> Floats:
    """Return L*a*b* of relative XYZ; both (..., 3), same dtype, new array."""
    f = f_from_relative(xyz)
    lab = np.empty_like(f)
    lab[..., 0] = 116 * f[..., 1] - 16
    lab[..., 1] = 500 * (f[..., 0] - f[..., 1])
    lab[..., 2] = 200 * (f[..., 1] - f[..., 2])
    return lab


def relative_xyz_from_lab(lab: Floats) -> Floats:
    """Invert `lab_from_relative_xyz`; both (..., 3), same dtype, new array."""
    f = np.empty_like(lab)
    f[..., 1] = (lab[..., 0] + 16) / 116
    f[..., 0] = f[..., 1] + lab[..., 1] / 500
    f[..., 2] = f[..., 1] - lab[..., 2] / 200
    return relative_from_f(f)
