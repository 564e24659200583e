"""Photographs and results as small or plain pictures, for pages that people look at."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..color.cie import y_from_lightness
from ..color.rgb import SRGB_CURVE
from ..formats.decode import decode_picture
from ..picture.photograph import Photograph

_STRIP_ROWS = 256
_QUALITY = 85


def grey_view(path: Path) -> Image.Image:
    """Return a photograph's lightness, as the network saw it, in sRGB.

    Raises:
        PictureError, OSError: it cannot be read.
    """
    photograph = decode_picture(path.read_bytes())
    levels = np.empty((photograph.height, photograph.width), np.uint8)
    for start in range(0, photograph.height, _STRIP_ROWS):
        rows = slice(start, min(start + _STRIP_ROWS, photograph.height))
        y = y_from_lightness(photograph.lightness(rows.start, rows.stop))
        levels[rows] = np.clip(SRGB_CURVE.encode(y) * 255 + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(levels)


def colour_view(path: Path) -> Image.Image:
    """Return a result, which is in sRGB, with 8 bits a channel and on white where it is transparent.

    Raises:
        PictureError, OSError: it cannot be read.
    """
    photograph = decode_picture(path.read_bytes())
    image = Image.fromarray(_bytes(photograph))
    if not photograph.has_alpha:
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _bytes(photograph: Photograph) -> NDArray[np.uint8]:
    pixels = photograph.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    channels = {1: (0, 0, 0), 2: (0, 0, 0, 1)}.get(pixels.shape[2])
    return np.ascontiguousarray(pixels if channels is None else pixels[..., channels], np.uint8)


def jpeg(image: Image.Image) -> bytes:
    """Return a picture as JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
