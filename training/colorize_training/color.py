"""Torch conversions between sRGB, linear light, CIE XYZ and CIE L*a*b* (D65), exact formulas, differentiable.

Sources: IEC 61966-2-1 (sRGB transfer and primaries), CIE 15:2018 section 8.2 (L*a*b* with the exact 6/29 constants).
The matrix is the server's, so that training and use mean the same colours.
Nothing here clamps: colours outside sRGB keep their negative or above-one values.  All tensors are (..., C, H, W).
"""

from typing import Final

import numpy as np
import torch
from colorize_server.color.cie import DELTA
from colorize_server.color.rgb import SRGB, SRGB_LINEAR_END
from numpy.typing import NDArray
from torch import Tensor

RELATIVE_XYZ_FROM_RGB: Final = torch.from_numpy(SRGB.to_relative_xyz.copy())
"""(3, 3) float64, linear sRGB to XYZ relative to D65; the rows sum to 1, so that a grey has a* = b* = 0."""

RGB_FROM_RELATIVE_XYZ: Final = torch.linalg.inv(RELATIVE_XYZ_FROM_RGB)
"""(3, 3) float64, the inverse."""

LUMINANCE_WEIGHTS: Final = RELATIVE_XYZ_FROM_RGB[1]
"""(3,) float64, weights of linear R, G, B in CIE Y."""

_SRGB_ENCODED_END: Final = 0.04045
"""Encoded value of the end of sRGB's straight line (IEC 61966-2-1)."""


def linear_from_srgb(srgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve, odd-symmetric below zero; sRGB 0..1 to linear 0..1, same shape."""
    magnitude = srgb.abs()
    curved = ((magnitude.clamp(min=_SRGB_ENCODED_END) + 0.055) / 1.055) ** 2.4
    return torch.where(magnitude <= _SRGB_ENCODED_END, magnitude / 12.92, curved) * srgb.sign()


def srgb_from_linear(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer curve, odd-symmetric below zero; linear 0..1 to sRGB 0..1, same shape."""
    magnitude = linear.abs()
    curved = 1.055 * magnitude.clamp(min=SRGB_LINEAR_END) ** (1 / 2.4) - 0.055
    return torch.where(magnitude <= SRGB_LINEAR_END, magnitude * 12.92, curved) * linear.sign()


_LINEAR_OF_LEVEL: Final = linear_from_srgb(torch.arange(256, dtype=torch.float64) / 255).float()


def linear_from_srgb8(levels: Tensor) -> Tensor:
    """Undo the sRGB curve of 8-bit levels by table; (..., H, W) uint8 to float32 0..1, same shape."""
    return _LINEAR_OF_LEVEL.to(levels.device)[levels.int()]


def _mix(matrix: Tensor, planes: Tensor) -> Tensor:
    return torch.einsum("ij,...jhw->...ihw", matrix.to(planes), planes)


def _lab_curve(t: Tensor) -> Tensor:
    """CIE 15:2018's f(t): cube root above (6/29)^3, the straight line below."""
    line = t / (3 * DELTA**2) + 4.0 / 29.0
    # The clamp only keeps the unused branch (and its gradient) finite.
    return torch.where(t > DELTA**3, t.clamp(min=DELTA**3) ** (1 / 3), line)


def _lab_curve_inverse(f: Tensor) -> Tensor:
    return torch.where(f > DELTA, f**3, 3 * DELTA**2 * (f - 4.0 / 29.0))


def lightness_from_y(y: Tensor) -> Tensor:
    """CIE L* 0..100 of relative luminance Y 0..1, same shape."""
    return 116 * _lab_curve(y) - 16


def lab_from_linear(linear: Tensor) -> Tensor:
    """Convert linear sRGB (..., 3, H, W), 0..1, to L*a*b* (..., 3, H, W): L* 0..100, a*b* about -108..98."""
    xyz = _mix(RELATIVE_XYZ_FROM_RGB, linear)
    x, y, z = _lab_curve(xyz).unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def linear_from_lab(lab: Tensor) -> Tensor:
    """Convert L*a*b* (..., 3, H, W) to linear sRGB; values outside 0..1 mean a colour outside sRGB."""
    lightness, a, b = lab.unbind(dim=-3)
    fy = (lightness + 16) / 116
    xyz = _lab_curve_inverse(torch.stack([fy + a / 500, fy, fy - b / 200], dim=-3))
    return _mix(RGB_FROM_RELATIVE_XYZ, xyz)


def lab_from_srgb(srgb: Tensor) -> Tensor:
    """Convert sRGB (..., 3, H, W), 0..1, to L*a*b*."""
    return lab_from_linear(linear_from_srgb(srgb))


def srgb_from_lab(lab: Tensor) -> Tensor:
    """Convert L*a*b* to sRGB (..., 3, H, W); values outside 0..1 mean a colour outside sRGB."""
    return srgb_from_linear(linear_from_lab(lab))


def srgb8_from_lab(lightness: Tensor, chroma: Tensor) -> NDArray[np.uint8]:
    """Turn (1, H, W) L* and (2, H, W) a*b* into a (H, W, 3) uint8 picture; colours outside sRGB are clipped."""
    srgb = srgb_from_lab(torch.cat([lightness, chroma])).clamp(0, 1)
    return (srgb * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def colorfulness(rgb8: NDArray[np.uint8]) -> float:
    """Return the colourfulness M3 of an sRGB picture, 0 (grey) to about 110.

    Hasler and Suesstrunk, "Measuring colorfulness in natural images" (SPIE 5007, 2003), equation for M(3).

    Args:
        rgb8: (H, W, 3) uint8.
    """
    r, g, b = np.moveaxis(rgb8.astype(np.float32), -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    spread = float(np.hypot(rg.std(), yb.std()))
    return spread + 0.3 * float(np.hypot(rg.mean(), yb.mean()))
