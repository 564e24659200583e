"""Samples of TIFF pictures: which kinds are taken, and what makes them those of a photograph."""

from typing import Final

import numpy as np
import tifffile

from ..errors import PictureError
from ..picture.photograph import Pixels

_MAX_SAMPLES: Final = 5
"""CMYK and alpha."""
_BILEVEL_OR_PALETTE: Final = (1, 2, 4)
"""Bits of a sample that Pillow knows; 8 to 16 are tifffile's."""
STRIP_PIXELS: Final = 1 << 18
"""Pixels that are converted at a time, because that takes several times their memory."""


def check_samples(page: tifffile.TiffPage) -> None:
    """Refuse what is no photograph of 8 or 16 bits, before it is decoded.

    Raises:
        PictureError: in words.
    """
    # Either would take memory that the check of width and height knows nothing of.
    if page.samplesperpixel > _MAX_SAMPLES:
        raise PictureError(
            f"The TIFF picture has {page.samplesperpixel} channels.",
            "Save it without the channels beside its colours and one for transparency.",
            code="unsupported_media_type",
            status=415,
        )
    if page.imagedepth != 1:
        raise PictureError(
            f"The TIFF picture is {page.imagedepth} layers deep.",
            "Save one of them as a picture of its own.",
            code="unsupported_media_type",
            status=415,
        )
    kind, bits = int(page.sampleformat), page.bitspersample
    if kind in (2, 3) or bits > 16 or (bits < 8 and bits not in _BILEVEL_OR_PALETTE):
        name = {2: "signed integers", 3: "floating point"}.get(kind, "integers")
        raise PictureError(
            f"The TIFF picture has {bits} bits of {name} a channel.",
            "Save it with 8 or 16 bits a channel.",
            code="unsupported_media_type",
            status=415,
        )


def full_range(pixels: Pixels, bits: int) -> Pixels:
    """Spread samples of 9 to 15 bits, as some scanners write them, over all 16 (in place).

    Args:
        pixels: (height, width[, channels]) uint8 or uint16.
        bits: of a sample, 8 to 16.
    """
    top = (1 << bits) - 1
    if bits not in (8, 16):
        rows = max(1, STRIP_PIXELS // pixels.shape[1])
        for start in range(0, len(pixels), rows):
            strip = pixels[start : start + rows].astype(np.uint32)
            pixels[start : start + rows] = (strip * 65535 + top // 2) // top
    return pixels


def straight(pixels: Pixels) -> Pixels:
    """Divide premultiplied colour by its alpha (TIFF 6.0, ExtraSamples 1); (height, width, channels), alpha last."""
    top = int(np.iinfo(pixels.dtype).max)
    divided = np.empty_like(pixels)
    rows = max(1, STRIP_PIXELS // pixels.shape[1])
    for start in range(0, len(pixels), rows):
        strip = pixels[start : start + rows].astype(np.uint32)  # 65535 * 65535 and half as much fit
        alpha = strip[..., -1:]
        colour = strip[..., :-1] * np.uint32(top)
        colour += alpha // 2
        colour //= np.maximum(alpha, 1)
        divided[start : start + rows, :, :-1] = np.where(alpha > 0, np.minimum(colour, top), 0)
        divided[start : start + rows, :, -1:] = alpha
    return divided
