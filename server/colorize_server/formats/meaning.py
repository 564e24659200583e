"""What the samples of a file mean: channels, profile, inks, L*a*b*, and which way is up."""

from dataclasses import replace
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from ..color.cie import relative_xyz_from_lab
from ..color.icc import GreyProfile, UnreadableProfileError, read_profile
from ..color.rgb import SRGB, RgbSpace
from ..picture.photograph import GREY_PROFILES, Metadata, Photograph, Pixels, Profile

LYING: Final = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
STRIP_PIXELS: Final = 1 << 18
"""Pixels that are converted at a time, because that takes several times their memory."""
_PERCEPTUAL: Final = 0


def as_channels(pixels: Any) -> Pixels:
    """Return (height, width, channels) of pixels that may lack the last axis."""
    return pixels[..., None] if pixels.ndim == 2 else pixels


def photograph_of(pixels: Any, icc: bytes | None, metadata: Metadata, default: RgbSpace | None = None) -> Photograph:
    """Give pixels the meaning that their profile says.

    Args:
        pixels: (height, width, 1..4) uint8 or uint16: grey or RGB, with or without alpha.
        icc: the file's profile, if it has one.
        metadata: what else the file says.
        default: the space without a profile that fits; None for sRGB.
    """
    if icc and pixels.shape[2] <= 2 and icc[16:20] == b"RGB ":
        # An indexed picture's profile is that of its colours, grey ones too (PNG and TIFF say so).
        pixels = pixels[..., [0, 0, 0, *range(1, pixels.shape[2])]]
    grey = pixels.shape[2] <= 2
    meaning: Profile
    if default is None:
        meaning = GREY_PROFILES["srgb"] if grey else SRGB
    elif grey:
        meaning = GreyProfile(default.name, default.curves[0])
    else:
        meaning = default
    if not icc:
        return Photograph(pixels, meaning, metadata)
    try:
        profile = read_profile(icc)
    except UnreadableProfileError:
        return Photograph(_managed_to_srgb(pixels, icc), meaning, metadata)
    if isinstance(profile, GreyProfile) != grey:
        # A profile for another kind of picture says nothing about this one.
        return Photograph(pixels, meaning, metadata)
    return Photograph(pixels, profile, metadata if grey else replace(metadata, icc=icc))


def _managed_to_srgb(pixels: Pixels, icc: bytes) -> Pixels:
    """Convert pixels through a profile that only LittleCMS can read; alpha is carried over.

    A damaged profile is as good as none: the pixels come back unchanged.
    """
    grey, has_alpha = pixels.shape[2] <= 2, pixels.shape[2] in (2, 4)
    colour = pixels[..., :1] if grey else pixels[..., :3]
    rgb = _by_littlecms(colour[..., 0] if grey else colour, icc, "gray" if grey else "rgb")
    if rgb is None:
        return pixels
    result = rgb[..., 1:2] if grey else rgb
    return np.concatenate([result, pixels[..., -1:]], axis=-1) if has_alpha else result


def _by_littlecms(pixels: Pixels, icc: bytes, space: str) -> Pixels | None:
    """Return sRGB of pixels through a profile, at the same depth; None where the profile is of no use."""
    try:
        rgb: Pixels = imagecodecs.cms_transform(
            np.ascontiguousarray(pixels),
            icc,
            imagecodecs.cms_profile("srgb"),
            colorspace=space,
            outcolorspace="rgb",
            intent=_PERCEPTUAL,
        )
    except Exception:  # noqa: BLE001  (LittleCMS through imagecodecs raises its own class, or a plain ValueError)
        return None
    return rgb


FROM_CMYK: Final = "It was CMYK; its colours are in sRGB from here on."


def srgb_from_cmyk(inks: Pixels, icc: bytes | None) -> Pixels:
    """Return sRGB of inks, at their depth.

    Args:
        inks: (height, width, 4 or 5) uint8 or uint16, 0 is no ink; the fifth channel is alpha.
        icc: the profile of the press; without one that fits, inks are taken for ideal.

    Returns:
        (height, width, 3 or 4).
    """
    rgb = _by_littlecms(inks[..., :4], icc, "cmyk") if icc and icc[16:20] == b"CMYK" else None
    if rgb is None:
        rgb = np.empty((*inks.shape[:2], 3), inks.dtype)
        top = np.uint32(np.iinfo(inks.dtype).max)
        for rows in strips(inks):
            left = top - inks[rows, :, :4].astype(np.uint32)  # 65535 * 65535 and half as much fit
            rgb[rows] = (left[..., :3] * left[..., 3:] + top // 2) // top
    return np.concatenate([rgb, inks[..., 4:]], axis=-1) if inks.shape[2] == 5 else rgb


def srgb_from_lab(lab: NDArray[np.float32], dtype: Any) -> Pixels:
    """Return sRGB, clipped, of (rows, width, 3) L*a*b* relative to D50."""
    linear = relative_xyz_from_lab(lab.astype(np.float64)) @ np.linalg.inv(SRGB.to_relative_xyz_d50).T
    encoded = SRGB.encoded_from_linear(np.clip(linear, 0, 1))
    return np.asarray(np.rint(np.clip(encoded, 0, 1) * np.iinfo(dtype).max), dtype)


def with_keyed_alpha(pixels: Pixels, key: object) -> Pixels:
    """Add alpha for a picture that names one transparent colour (PNG's tRNS)."""
    colour = np.array(key if isinstance(key, tuple) else (key,), pixels.dtype)
    opaque = np.any(pixels != colour, axis=-1, keepdims=True)
    alpha = opaque.astype(pixels.dtype) * np.iinfo(pixels.dtype).max
    return np.concatenate([pixels, alpha.astype(pixels.dtype)], axis=-1)


def full_range(pixels: Pixels, bits: int) -> Pixels:
    """Spread samples of 1 to 7 bits over 8, and of 9 to 15, as some scanners write them, over 16 (in place).

    Args:
        pixels: (height, width[, channels]) uint8 or uint16.
        bits: of a sample, 1 to 16.
    """
    if bits in (8, 16):
        return pixels
    top, wanted = (1 << bits) - 1, int(np.iinfo(pixels.dtype).max)
    for rows in strips(pixels):
        pixels[rows] = (np.minimum(pixels[rows].astype(np.uint32), top) * wanted + top // 2) // top
    return pixels


def straight(pixels: Pixels) -> Pixels:
    """Divide premultiplied colour by its alpha (TIFF 6.0, ExtraSamples 1); (height, width, channels), alpha last."""
    top = int(np.iinfo(pixels.dtype).max)
    divided = np.empty_like(pixels)
    for rows in strips(pixels):
        strip = pixels[rows].astype(np.uint32)  # 65535 * 65535 and half as much fit
        alpha = strip[..., -1:]
        colour = strip[..., :-1] * np.uint32(top)
        colour += alpha // 2
        colour //= np.maximum(alpha, 1)
        divided[rows, :, :-1] = np.where(alpha > 0, np.minimum(colour, top), 0)
        divided[rows, :, -1:] = alpha
    return divided


def strips(pixels: NDArray[Any]) -> list[slice]:
    """Return slices of rows that cover a picture, `STRIP_PIXELS` each."""
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    return [slice(start, start + rows) for start in range(0, len(pixels), rows)]


def upright(photograph: Photograph, orientation: int) -> Photograph:
    """Turn a photograph as EXIF's Orientation asks: 1..8; anything else means upright."""
    pixels: Any = photograph.pixels
    metadata = photograph.metadata
    if orientation not in range(2, 9):
        return photograph
    if orientation in LYING:
        pixels = np.swapaxes(pixels, 0, 1)
        if metadata.dpi is not None:
            metadata = replace(metadata, dpi=metadata.dpi[::-1])
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return replace(photograph, pixels=np.ascontiguousarray(pixels), metadata=metadata)
