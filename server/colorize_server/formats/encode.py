"""Pictures to files: PNG and TIFF without loss, JPEG where it is asked for by name; always sRGB and tagged so."""

import io
import struct
import zlib
from functools import cache
from typing import Final

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ..errors import BadRequestError
from ..media_types import JPEG, PNG, PSD, TIFF
from ..picture.photograph import Metadata, Pixels
from .embedded import (
    MAX_SEGMENT_BYTES,
    TIFF_IPTC,
    TIFF_XMP,
    Embedded,
    jpeg_segments_of,
    png_chunks_of,
)
from .exif import PREFIX, add_to_tiff

ENCODED_TYPES: Final = {
    ".png": PNG,
    ".tif": TIFF,
    ".tiff": TIFF,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".psd": PSD,
    ".psb": PSD,
}
"""File name endings that can be written."""
JPEG_QUALITY: Final = 95
PNG_LEVEL: Final = 3
"""zlib level: the pictures are a tenth larger than at 9 and written four times as fast."""
QUICK_LEVEL: Final = 1
"""Level of PNG and TIFF for many pictures: 3 % larger again, and compressed in six tenths of the time."""
_TIFF_LEVEL: Final = 6
_MAX_JPEG_EXIF_BYTES: Final = MAX_SEGMENT_BYTES - len(PREFIX)
"""What a segment of a JPEG holds besides its own length; a longer block is left out."""
_METRE_PER_INCH: Final = 0.0254
_BYTE, _LONG = 1, 4
"""Types of TIFF's tags."""
_PROFILE_DATE: Final = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)


@cache
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, the same bytes at every time: a photograph coloured twice gives one file."""
    made_now = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return made_now[:24] + _PROFILE_DATE + made_now[36:]  # ICC.1:2022, 7.2.10: when it was made


def encode_picture(pixels: Pixels, metadata: Metadata, media_type: str, *, quick: bool = False) -> bytes:
    """Encode finished pixels.

    Args:
        pixels: (height, width, 3 or 4) uint8 or uint16, sRGB, straight alpha.
        metadata: what to carry on from the photograph's file.
        media_type: image/png, image/tiff or image/jpeg (8 bits, 4:4:4, no alpha: flattened on white).
        quick: compress without loss, but less (`QUICK_LEVEL`).

    Raises:
        BadRequestError: it is none of these.
    """
    if media_type == PNG:
        return _encode_png(pixels, metadata, QUICK_LEVEL if quick else PNG_LEVEL)
    if media_type == TIFF:
        return _encode_tiff(pixels, metadata, QUICK_LEVEL if quick else _TIFF_LEVEL)
    if media_type == JPEG:
        return _encode_jpeg(pixels, metadata)
    raise BadRequestError(f"Pictures cannot be written as {media_type}.", "Use PNG, TIFF or JPEG.")


def encode_grey(levels: NDArray[np.uint8]) -> bytes:
    """Encode a (height, width) uint8 grey picture (doubt) as PNG."""
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(levels), level=PNG_LEVEL))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _encode_png(pixels: Pixels, metadata: Metadata, level: int) -> bytes:
    plain = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels), level=level))
    # Signature and IHDR are 33 bytes; iCCP and pHYs must come between it and the pixels (PNG, 3rd edition, 5.6).
    extra = _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile()))
    if metadata.dpi is not None:
        per_metre = (round(d / _METRE_PER_INCH) for d in metadata.dpi)
        extra += _chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    if metadata.exif is not None:
        extra += _chunk(b"eXIf", metadata.exif)
    for kind, content in png_chunks_of(Embedded(metadata.xmp, metadata.iptc)):
        extra += _chunk(kind, content)
    return plain[:33] + extra + plain[33:]


def _encode_tiff(pixels: Pixels, metadata: Metadata, level: int) -> bytes:
    stream = io.BytesIO()
    alpha = pixels.shape[2] == 4
    tifffile.imwrite(
        stream,
        pixels,
        byteorder="<",
        photometric="rgb",
        extrasamples=["unassalpha"] if alpha else None,
        compression="deflate",
        compressionargs={"level": level},
        predictor=True,
        resolution=metadata.dpi,
        resolutionunit="INCH" if metadata.dpi else None,
        iccprofile=srgb_profile(),
        metadata=None,
        software=False,
        extratags=[
            *([(TIFF_XMP, _BYTE, len(metadata.xmp), metadata.xmp, True)] if metadata.xmp else []),
            *(
                [(TIFF_IPTC, _LONG, -(-len(metadata.iptc) // 4), _as_numbers(metadata.iptc), True)]
                if metadata.iptc
                else []
            ),
        ],
    )
    if metadata.exif is not None:
        add_to_tiff(stream, metadata.exif)
    return stream.getvalue()


def _as_numbers(iptc: bytes) -> NDArray[np.uint32]:
    """Return IPTC-IIM in the type that TIFF has for it; zero bytes at the end end it."""
    return np.frombuffer(iptc + bytes(-len(iptc) % 4), "<u4")


def _encode_jpeg(pixels: Pixels, metadata: Metadata) -> bytes:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    image = Image.fromarray(pixels)
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, "white")
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    stream = io.BytesIO()
    options: dict[str, object] = {}
    if metadata.exif is not None and len(metadata.exif) <= _MAX_JPEG_EXIF_BYTES:
        options["exif"] = PREFIX + metadata.exif
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    segments = jpeg_segments_of(Embedded(metadata.xmp, metadata.iptc))
    # Pillow puts these behind JFIF and EXIF, where they belong.
    options["extra"] = b"".join(struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data for marker, data in segments)
    image.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0, icc_profile=srgb_profile(), **options)
    return stream.getvalue()
