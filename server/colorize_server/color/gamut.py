"""Bring colours into a display's gamut by reducing chroma at constant lightness and hue.

Clipping channels would move lightness, and the photograph's lightness is what this project promises to keep.  Along
the ray from the neutral axis each linear channel is a cubic in the chroma's factor k, so the largest k that stays
inside is found by a bracketed secant search; the result is always the inside end of the bracket.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .cie import DELTA

Array: TypeAlias = NDArray[np.float32]

SEARCH_STEPS: Final = 7
"""Secant steps; 7 lose 0.1 of chroma on average on random colours far outside the gamut."""
TOLERANCE: Final = 1e-5
"""Linear light outside 0..1 that counts as inside: 0.01 L* at black, where it shows most."""


def _cube(f: Array) -> Array:
    above = np.maximum(f, np.float32(DELTA))
    below = f - above
    below *= np.float32(3 * DELTA**2)
    below += above * above * above
    return below


def linear_from_lab_rows(lightness: Array, a: Array, b: Array, matrix: NDArray[np.floating]) -> Array:
    """Return linear RGB of L*a*b* planes.

    Args:
        lightness: any shape, float32, L* 0..100.
        a: same shape, a*.
        b: same shape, b*.
        matrix: (3, 3), linear RGB from relative XYZ of the Lab at hand.

    Returns:
        (3, ...) float32; not clipped.
    """
    m = matrix.astype(np.float32)
    fy = lightness * np.float32(1 / 116)
    fy += np.float32(16 / 116)
    x = _cube(fy + a * np.float32(1 / 500))
    z = _cube(fy - b * np.float32(1 / 200))
    y = _cube(fy)
    rgb = np.empty((3, *y.shape), np.float32)
    for c in range(3):
        np.multiply(x, m[c, 0], out=rgb[c])
        rgb[c] += y * m[c, 1]
        rgb[c] += z * m[c, 2]
    return rgb


def _margin(rgb: Array) -> Array:
    """Return how far inside 0..1 the worst channel is; negative outside."""
    low = np.minimum(np.minimum(rgb[0], rgb[1]), rgb[2])
    high = np.maximum(np.maximum(rgb[0], rgb[1]), rgb[2])
    return np.minimum(low, 1 - high)


def is_in_gamut(rgb: Array) -> NDArray[np.bool_]:
    """Tell which colours of (3, ...) linear RGB are inside 0..1, up to `TOLERANCE`."""
    return _margin(rgb) >= -TOLERANCE


def chroma_factor(lightness: Array, a: Array, b: Array, matrix: NDArray[np.floating]) -> Array:
    """Return the largest factor on chroma, 0..1, that keeps each colour inside the gamut.

    Args:
        lightness: (n,) float32, L* 0..100.
        a: (n,) float32, a*.
        b: (n,) float32, b*.
        matrix: (3, 3), linear RGB from relative XYZ of the Lab at hand.

    Returns:
        (n,) float32.  1 where the colour is inside already.
    """
    outside = _margin(linear_from_lab_rows(lightness, a, b, matrix))
    factor = np.ones_like(lightness)
    todo = np.flatnonzero(outside < 0)
    if not todo.size:
        return factor
    light, a0, b0 = lightness[todo], a[todo], b[todo]
    zero = np.zeros_like(light)
    lo, hi = zero.copy(), np.ones_like(light)
    # At the very ends of the axis rounding can put even the neutral a hair outside.
    g_lo = np.maximum(_margin(linear_from_lab_rows(light, zero, zero, matrix)), np.float32(1e-12))
    g_hi = outside[todo].copy()
    for _ in range(SEARCH_STEPS):
        k = np.divide(hi * g_lo - lo * g_hi, g_lo - g_hi, dtype=np.float32)
        # A margin is a minimum of cubics and bends; keep each step off the bracket's ends so that both ends move.
        span = hi - lo
        np.clip(k, lo + span * np.float32(0.02), hi - span * np.float32(0.02), out=k)
        g = _margin(linear_from_lab_rows(light, a0 * k, b0 * k, matrix))
        inside = g >= 0
        np.copyto(lo, k, where=inside)
        np.copyto(hi, k, where=~inside)
        # Illinois: halve the end that stayed (Dowell and Jarratt 1971), so that no end stays for ever.
        g_lo = np.where(inside, g, g_lo * np.float32(0.5))
        g_hi = np.where(inside, g_hi * np.float32(0.5), g)
    factor[todo] = lo
    return factor


def chroma_in_gamut(lightness: Array, a: Array, b: Array, matrix: NDArray[np.floating]) -> tuple[Array, Array, Array]:
    """Reduce chroma where needed, at constant lightness and hue.

    Args:
        lightness: any shape, float32, L* 0..100.
        a: same shape, a*.
        b: same shape, b*.
        matrix: (3, 3), linear RGB from relative XYZ of the Lab at hand.

    Returns:
        a* and b*, of the same shape (the given arrays themselves where nothing had to change), and their linear RGB,
        (3, ...) float32 inside 0..1, clipped only by `TOLERANCE`.
    """
    rgb = linear_from_lab_rows(lightness, a, b, matrix)
    outside = np.flatnonzero(~is_in_gamut(rgb))
    if outside.size:
        light, a1, b1 = (plane.ravel()[outside] for plane in (lightness, a, b))
        k = chroma_factor(light, a1, b1, matrix)
        a1, b1 = a1 * k, b1 * k
        rgb.reshape(3, -1)[:, outside] = linear_from_lab_rows(light, a1, b1, matrix)
        a, b = a.copy(), b.copy()
        a.ravel()[outside], b.ravel()[outside] = a1, b1
    np.clip(rgb, 0, 1, out=rgb)
    return a, b, rgb
