"""Pictures from files, at their full depth, with their profile and orientation.

Each container has one reader, found by the file's first bytes.  Nothing else is ever tried: a decoder that is not
listed here cannot be reached.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ..color.icc import GreyProfile
from ..color.rgb import SRGB
from ..errors import HintsError, PictureError
from ..media_types import BMP, GIF, JPEG, NAMES, PNG, TIFF, WEBP
from ..picture.photograph import GREY_PROFILES, Photograph
from .embedded import read_embedded
from .jpeg import decode_jpeg
from .limits import PictureLimits
from .meaning import strips
from .png import decode_png
from .tiff import decode_tiff
from .with_pillow import decode_with_pillow

__all__ = ["PictureLimits", "decode_hints", "decode_picture", "media_type_of", "remark_on_pages"]

_PILLOW: Final = {WEBP: "WEBP", GIF: "GIF", BMP: "BMP"}
"""Media type to Pillow's name, where Pillow alone reads it."""

# It tells of odd files on standard error, without their names; what matters comes as an exception.
logging.getLogger("PIL").setLevel(logging.CRITICAL)


def media_type_of(data: bytes | memoryview) -> str | None:
    """Return the media type that the first bytes of a file show, or None if it is none of `NAMES`."""
    head = bytes(data[:12])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TIFF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return BMP
    return None


def decode_picture(
    data: bytes | memoryview,
    media_type: str | None = None,
    limits: PictureLimits | None = None,
    page: int | None = None,
) -> Photograph:
    """Decode a photograph.

    Args:
        data: the file's bytes.
        media_type: what the sender says it is; None finds out.
        limits: bounds on its size.
        page: which picture of a TIFF, 1 is the first; None takes the first of any file.

    Returns:
        Its pixels at full depth, upright, with its profile (pictures that only a colour management module can read
        are converted to sRGB), the metadata worth keeping, and remarks.

    Raises:
        PictureError: it is not a picture of that kind, is damaged or cut off, of a rare kind, or too large.
    """
    limits = limits or PictureLimits()
    found = media_type_of(data)
    if found is None:
        if not len(data):
            raise PictureError("The file is empty.", "Copy it again from its source.")
        raise PictureError("The file is no picture that can be read.", "Save it as a PNG, JPEG, TIFF or WebP.")
    if media_type is not None and media_type != found:
        raise PictureError(f"The file is {found}, not {media_type} as it claims.", "Give it its right type.")
    if page not in (None, 1) and found != TIFF:
        raise PictureError(f"The file has no page {page}.", "Pages can be chosen in TIFF files.")
    with _decoder_errors(found):
        photograph = _decode(bytes(data), found, limits, page)
    if found == TIFF:  # knows which of its directories speaks
        return photograph
    embedded = read_embedded(data)
    return replace(photograph, metadata=replace(photograph.metadata, xmp=embedded.xmp, iptc=embedded.iptc))


def _decode(data: bytes, media_type: str, limits: PictureLimits, page: int | None) -> Photograph:
    if media_type == TIFF:
        return decode_tiff(data, limits, page)
    if media_type == PNG:
        return decode_png(data, limits)
    if media_type == JPEG:
        return decode_jpeg(data, limits)
    return decode_with_pillow(data, _PILLOW[media_type], limits)


def remark_on_pages(left: int) -> tuple[str, ...]:
    """Return what to say of a file of which so many pictures were left out; nothing where none were."""
    return (f"The file holds {left + 1} pictures; the first was coloured.",) if left else ()


def decode_hints(data: bytes | memoryview, limits: PictureLimits | None = None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Decode strokes of colour.

    Args:
        data: a PNG with transparent ground.
        limits: bounds on its size.

    Returns:
        (height, width, 4) uint8, sRGB, straight alpha.

    Raises:
        HintsError: it is not a PNG with an alpha channel.
        PictureError: it is damaged or too large.
    """
    if media_type_of(data) != PNG:
        raise HintsError("The hints are not a PNG picture.", "Save the strokes as a PNG with transparency.")
    with _decoder_errors(PNG):
        photograph = decode_png(bytes(data), limits or PictureLimits())
    if not photograph.has_alpha:
        raise HintsError("The hints have no transparency.", "Paint them on a transparent layer and save that as a PNG.")
    pixels = photograph.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if pixels.shape[2] == 2:
        pixels = pixels[..., (0, 0, 0, 1)]
    hints = np.ascontiguousarray(pixels, np.uint8)
    if photograph.profile is SRGB or photograph.profile is GREY_PROFILES["srgb"]:
        return hints
    return np.concatenate([_colours_in_srgb(photograph), hints[..., 3:]], axis=-1)


def _colours_in_srgb(photograph: Photograph) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the colours of a photograph, (height, width, 3) uint8, sRGB; those that sRGB has not are clipped."""
    profile = photograph.profile
    matrix = np.eye(3)
    if not isinstance(profile, GreyProfile):
        matrix = np.linalg.inv(SRGB.to_relative_xyz) @ profile.to_relative_xyz
    colours = np.empty((photograph.height, photograph.width, 3), np.uint8)
    for rows in strips(photograph.pixels):
        linear = np.tensordot(matrix.astype(np.float32), photograph.linear_rgb(rows.start, rows.stop), 1)
        encoded = SRGB.encoded_from_linear(np.clip(np.moveaxis(linear, 0, -1), 0, 1))
        colours[rows] = np.rint(encoded * 255)
    return colours


@contextlib.contextmanager
def _decoder_errors(media_type: str) -> Iterator[None]:
    """Turn whatever a decoder raises into a PictureError."""
    name = NAMES[media_type]
    try:
        with warnings.catch_warnings():
            # Decoders warn of oddities in metadata; a picture that decodes is good enough for a painter.
            warnings.simplefilter("ignore")
            yield
    except (PictureError, HintsError):
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise PictureError(
            f"The {name} picture is damaged or cut off.", "Copy it again from its source, or save it again."
        ) from error
