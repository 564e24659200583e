"""The hosts' Color modes, written from their definitions, to check layers against."""

import numpy as np
from colorize_server.color.cie import lab_from_relative_xyz, relative_xyz_from_lab
from colorize_server.color.rgb import SRGB

LUMA = np.array([0.30, 0.59, 0.11])


def gimp_lch_color(base: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Return GIMP's LCh Color of sRGB values 0..1: L of the base, C and h of the layer, in babl's CIE Lab (D50).

    Source: app/operations/layer-modes/gimpoperationlchcolor.c of GIMP 3.
    """
    lab = lab_from_relative_xyz(SRGB.linear_from_encoded(layer) @ SRGB.to_relative_xyz_d50.T)
    lab[..., 0] = lab_from_relative_xyz(SRGB.linear_from_encoded(base) @ SRGB.to_relative_xyz_d50.T)[..., 0]
    linear = relative_xyz_from_lab(lab) @ np.linalg.inv(SRGB.to_relative_xyz_d50).T
    return SRGB.encoded_from_linear(linear)


def photoshop_color(base: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Return Photoshop's Color of encoded values 0..1: SetLum(layer, Lum(base)) with ClipColor.

    Source: PDF 32000-1:2008, 11.3.5.3.
    """
    lum = (base @ LUMA)[..., None]
    colour = layer + (lum - (layer @ LUMA)[..., None])
    low, high = colour.min(-1, keepdims=True), colour.max(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        colour = np.where(low < 0, lum + (colour - lum) * lum / (lum - low), colour)
        high = colour.max(-1, keepdims=True)
        colour = np.where(high > 1, lum + (colour - lum) * (1 - lum) / (high - lum), colour)
    return np.where(np.isfinite(colour), colour, lum)
