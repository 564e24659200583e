"""What Pillow reads without loss: JPEG, WebP, GIF, BMP, and PNG of 8 bits; and what it knows of a file's metadata."""

import contextlib
import io
import struct
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from ..color.rgb import RgbSpace
from ..picture.photograph import Metadata, Photograph
from .exif import PREFIX, clean_block
from .limits import PictureLimits
from .meaning import FROM_CMYK, as_channels, photograph_of, srgb_from_cmyk, upright, with_keyed_alpha

_DAMAGED_EXIF: Final = (SyntaxError, struct.error, ValueError, TypeError, KeyError, OverflowError, ZeroDivisionError)
"""What reading a damaged block raises: common in old scans, where the picture matters more."""
_CENTIMETRES: Final = 3
"""EXIF's ResolutionUnit."""
_CENTIMETRES_PER_INCH: Final = 2.54

# Pillow's bound on pixels only warns at first and cannot be set per call; `PictureLimits` is checked instead, always.
Image.MAX_IMAGE_PIXELS = None
# Profiles of scanners and monitors that hold tables are larger than the megabyte that Pillow takes in a PNG.
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20


def decode_with_pillow(
    data: bytes | memoryview, name: str, limits: PictureLimits, default: RgbSpace | None = None, key: int | None = None
) -> Photograph:
    """Decode a file of 8 bits a channel.

    Args:
        data: the file's bytes.
        name: Pillow's name of the format.
        limits: checked before a pixel is decoded; Pillow's would only warn.
        default: the space of its pixels if it has no profile.
        key: the transparent level of a grey picture, spread over 8 bits as its samples are.
    """
    with opened_by_pillow(data, name) as image:
        limits.check(*image.size)
        pages = _pictures_in(image)
        icc = image.info.get("icc_profile")
        if name == "PNG" and "exif" not in image.info:
            image.load()  # the block may come after the pixels
        orientation = orientation_of(image)
        metadata = metadata_of(image)
        image.load()
        photograph = upright(_from_pillow(image, icc, metadata, default, key), orientation)
        return replace(photograph, pages=pages)


def opened_by_pillow(data: bytes | memoryview, name: str) -> Image.Image:
    """Open a file whose format is known; no pixel is decoded yet."""
    try:
        return Image.open(io.BytesIO(data), formats=[name])
    except UnidentifiedImageError:
        if name != "JPEG" or PREFIX not in bytes(data):
            raise
    # Pillow looks for the resolution in EXIF, and takes a JPEG for none where it stumbles over it.
    return Image.open(io.BytesIO(bytes(data).replace(PREFIX, b"none\0\0", 1)), formats=[name])


def _pictures_in(image: Image.Image) -> int:
    """Return how many pictures a file holds; smaller ones of an MPO are previews and gain maps, and do not count."""
    count = int(getattr(image, "n_frames", 1))
    if count == 1 or image.format != "MPO":
        return count
    sizes = []
    with contextlib.suppress(*_DAMAGED_EXIF, EOFError, OSError):
        for index in range(count):
            image.seek(index)
            sizes.append(image.width * image.height)
    image.seek(0)
    return max(1, sum(size >= sizes[0] for size in sizes))


def _from_pillow(
    image: Image.Image, icc: bytes | None, metadata: Metadata, default: RgbSpace | None, key: int | None
) -> Photograph:
    if key is not None:
        levels = as_channels(np.asarray(image.convert("L")))
        return photograph_of(with_keyed_alpha(levels, key), icc, metadata, default)
    keyed = "transparency" in image.info
    if image.mode in ("1", "L", "LA", "La") or (image.mode == "P" and not keyed and _palette_is_grey(image)):
        wanted = "LA" if keyed or image.mode in ("LA", "La") else "L"
    elif image.mode == "CMYK":
        photograph = photograph_of(srgb_from_cmyk(np.asarray(image), icc), None, metadata)
        return replace(photograph, remarks=(FROM_CMYK,))
    else:
        wanted = "RGBA" if keyed or image.mode in ("RGBA", "RGBa", "PA") else "RGB"
    converted = image if image.mode == wanted else image.convert(wanted)
    return photograph_of(as_channels(np.asarray(converted)), icc, metadata, default)


def _palette_is_grey(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool(np.all(palette == palette[:, :1]))


def orientation_of(image: Image.Image) -> int:
    """Return EXIF's Orientation; 1 for what is none, the first of several."""
    with contextlib.suppress(*_DAMAGED_EXIF):
        value = image.getexif().get(ExifTags.Base.Orientation)
        first = value[0] if isinstance(value, tuple) and value else value
        return int(first) if isinstance(first, int) else 1
    return 1


def metadata_of(image: Image.Image) -> Metadata:
    """Return resolution and EXIF of an opened file."""
    block = image.info.get("exif")
    if block is None:  # from an old PNG's text
        with contextlib.suppress(*_DAMAGED_EXIF):
            exif = image.getexif()
            block = exif.tobytes() if exif else None
    dpi = image.info.get("dpi")
    if image.format in ("JPEG", "MPO") and not image.info.get("jfif_unit"):
        dpi = None  # JFIF says a ratio only, and Pillow takes one of EXIF's numbers for both
    if not isinstance(dpi, tuple) or len(dpi) != 2:
        dpi = None
        with contextlib.suppress(*_DAMAGED_EXIF):
            dpi = _exif_dpi(image.getexif())
    return Metadata(dpi and sound_dpi(*dpi), clean_block(block.removeprefix(PREFIX)) if block else None)


def _exif_dpi(exif: Image.Exif) -> tuple[float, float] | None:
    horizontal, vertical = exif.get(ExifTags.Base.XResolution), exif.get(ExifTags.Base.YResolution)
    if horizontal is None or vertical is None:
        return None
    scale = _CENTIMETRES_PER_INCH if exif.get(ExifTags.Base.ResolutionUnit) == _CENTIMETRES else 1.0
    return float(horizontal) * scale, float(vertical) * scale


def sound_dpi(horizontal: float, vertical: float) -> tuple[float, float] | None:
    """Return a resolution in pixels per inch, or None if no scan has it."""
    if 1 <= horizontal <= 100_000 and 1 <= vertical <= 100_000:
        return float(horizontal), float(vertical)
    return None
