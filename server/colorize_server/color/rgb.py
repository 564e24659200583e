"""RGB working spaces: primaries, transfer curves, and the matrices between them and CIE XYZ.

All matrices are chromatically adapted to D65 (or to D50 where the name says so) by Bradford's method, as ICC.1:2022
annex E prescribes, and XYZ are relative to the adapted white: a neutral is (1, 1, 1) times its luminance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .cie import Floats, lab_from_relative_xyz, relative_xyz_from_lab

Matrix: TypeAlias = NDArray[np.float64]

D65: Final = (0.95047, 1.0, 1.08883)
"""XYZ of illuminant D65, 2 degree observer (ASTM E308), as IEC 61966-2-1 rounds it."""
D50: Final = (0.9642, 1.0, 0.8249)
"""XYZ of the ICC profile connection space's white (ICC.1:2022, 7.2.16)."""

BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to sharpened cone responses (Lam 1985; ICC.1:2022 annex E)."""

LUMA_WEIGHTS: Final = (0.30, 0.59, 0.11)
"""Photoshop's luminosity in its Color mode, on encoded values (PDF 32000-1:2008, 11.3.5.3)."""


def adaptation(source: tuple[float, float, float], target: tuple[float, float, float]) -> Matrix:
    """Return Bradford's 3x3 matrix that takes XYZ under the white `source` to XYZ under `target`."""
    gain = (BRADFORD @ np.array(target)) / (BRADFORD @ np.array(source))
    return np.linalg.inv(BRADFORD) @ np.diag(gain) @ BRADFORD


@dataclass(frozen=True)
class TransferCurve:
    """How encoded values 0..1 become linear light 0..1, and back.

    Attributes:
        name: for messages and equality.
        decode: encoded to linear, elementwise, float64 in and out.
        encode: linear to encoded, elementwise, float32 or float64 in, the same dtype out.
    """

    name: str
    decode: Callable[[Floats], Floats]
    encode: Callable[[Floats], Floats]

    def linear_table(self, levels: int) -> NDArray[np.float32]:
        """Return linear light of each of `levels` integer codes, (levels,) float32."""
        return self.decode(np.arange(levels, dtype=np.float64) / (levels - 1)).astype(np.float32)


SRGB_LINEAR_END: Final = 0.0031308
"""Linear light up to which IEC 61966-2-1 is a straight line."""


def _srgb_decode(v: Floats) -> Floats:
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0.04045) + 0.055) / 1.055) ** 2.4)


def _srgb_encode(v: Floats) -> Floats:
    # One curve in two summands instead of a branch: the power above the end of the line, the line's shortfall below.
    out = np.maximum(v, v.dtype.type(SRGB_LINEAR_END))
    np.power(out, v.dtype.type(1 / 2.4), out=out)
    out *= v.dtype.type(1.055)
    line = np.minimum(v - v.dtype.type(SRGB_LINEAR_END), 0)
    line *= v.dtype.type(12.92)
    out += line
    out -= v.dtype.type(0.055)
    return out


def gamma_curve(gamma: float) -> TransferCurve:
    """Return the pure power curve of that exponent."""

    def encode(v: Floats) -> Floats:
        return np.power(np.maximum(v, 0), v.dtype.type(1 / gamma))

    return TransferCurve(f"gamma {gamma:.6g}", lambda v: np.maximum(v, 0) ** gamma, encode)


SRGB_CURVE: Final = TransferCurve("sRGB", _srgb_decode, _srgb_encode)
LINEAR_CURVE: Final = TransferCurve("linear", lambda v: v, lambda v: v)
GRAY_GAMMA_22: Final = gamma_curve(2.2)


@dataclass(frozen=True)
class RgbSpace:
    """An RGB working space.

    Attributes:
        name: as PROTOCOL.md spells it, or what the ICC profile calls itself.
        to_xyz_d50: (3, 3) float64, linear RGB to absolute XYZ in the ICC connection space (D50).
        curves: the transfer curve of red, green and blue.
    """

    name: str
    to_xyz_d50: Matrix
    curves: tuple[TransferCurve, TransferCurve, TransferCurve]

    def _relative(self, matrix: Matrix) -> Matrix:
        # Dividing by the white that the matrix itself gives makes neutrals exactly neutral.
        return matrix / matrix.sum(axis=1, keepdims=True)

    @cached_property
    def to_relative_xyz(self) -> Matrix:
        """(3, 3) linear RGB to XYZ relative to D65, adapted by Bradford; rows sum to 1."""
        return self._relative(adaptation(D50, D65) @ self.to_xyz_d50)

    @cached_property
    def to_relative_xyz_d50(self) -> Matrix:
        """(3, 3) linear RGB to XYZ relative to D50 (the Lab of ICC, babl and Photoshop); rows sum to 1."""
        return self._relative(self.to_xyz_d50)

    def linear_from_encoded(self, rgb: Floats) -> Floats:
        """Decode (..., 3) encoded values 0..1 to linear light, float64."""
        values = np.asarray(rgb, np.float64)
        return np.stack([c.decode(values[..., i]) for i, c in enumerate(self.curves)], axis=-1)

    def encoded_from_linear(self, rgb: Floats) -> Floats:
        """Encode (..., 3) linear light to values 0..1; same dtype."""
        return np.stack([c.encode(rgb[..., i]) for i, c in enumerate(self.curves)], axis=-1)

    def lab_from_encoded(self, rgb: Floats) -> Floats:
        """Return L*a*b* (D65) of (..., 3) encoded values 0..1, float64."""
        return lab_from_relative_xyz(self.linear_from_encoded(rgb) @ self.to_relative_xyz.T)

    def encoded_from_lab(self, lab: Floats) -> Floats:
        """Return encoded values of (..., 3) L*a*b* (D65); not clipped, so values outside 0..1 are out of gamut."""
        linear = relative_xyz_from_lab(np.asarray(lab, np.float64)) @ np.linalg.inv(self.to_relative_xyz).T
        return self.encoded_from_linear(linear)


def space_of(
    name: str,
    primaries: Sequence[tuple[float, float]],
    white: tuple[float, float, float],
    curve: TransferCurve,
) -> RgbSpace:
    """Return the space of three primaries (CIE x, y), the XYZ of its white, and one curve for all."""
    xyz = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    matrix = xyz * np.linalg.solve(xyz, np.array(white))
    to_d50 = matrix if white == D50 else adaptation(white, D50) @ matrix
    return RgbSpace(name, to_d50, (curve, curve, curve))


BT709_PRIMARIES: Final = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
"""ITU-R BT.709 and sRGB: CIE x, y of red, green and blue."""
SRGB: Final = space_of("srgb", BT709_PRIMARIES, D65, SRGB_CURVE)
"""IEC 61966-2-1."""
LINEAR_SRGB: Final = space_of("linear", BT709_PRIMARIES, D65, LINEAR_CURVE)
"""sRGB primaries without a curve."""
ADOBE_RGB: Final = space_of("adobe-rgb", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, gamma_curve(563 / 256))
"""Adobe RGB (1998) color image encoding, 2005-05."""
PROPHOTO: Final = space_of("prophoto", ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, gamma_curve(1.8))
"""ProPhoto RGB as its ICC profile has it: ROMM primaries, D50, a pure 1.8 (the profile has no linear toe)."""


def lab_d50_from_d65(lab: Floats) -> Floats:
    """Return L*a*b* relative to D50 (ICC, Photoshop) of the colours that (..., 3) L*a*b* relative to D65 name.

    By way of sRGB's linear light, which both are defined by here; same dtype, new array.
    """
    linear = relative_xyz_from_lab(lab) @ np.linalg.inv(SRGB.to_relative_xyz).T.astype(lab.dtype)
    return lab_from_relative_xyz(linear @ SRGB.to_relative_xyz_d50.T.astype(lab.dtype))
