"""TIFF files, BigTIFF among them: one page, at its full depth, with its profile, resolution and orientation."""

import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import tifffile

from ..picture.photograph import Metadata, Photograph
from .embedded import read_embedded
from .exif import block_from_tiff
from .jpeg import decode_jpeg
from .limits import PictureLimits, unsupported
from .meaning import FROM_CMYK, photograph_of, upright
from .tiff_page import choose_picture, dpi_of, orientation_of, photometric_of, profile_of
from .tiff_samples import CMYK, RGB, YCBCR, check_samples, colours_of
from .tiff_segments import OLD_JPEG, check_segments, is_subsampled, read_subsampled

_JPEG: Final = 7
_OLD_STREAM, _OLD_STREAM_BYTES = 513, 514
"""JPEGInterchangeFormat and its length."""

# It tells of odd tags on standard error, without the name of the file; what matters to the pixels is checked here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def decode_tiff(data: bytes, limits: PictureLimits, page: int | None = None) -> Photograph:
    """Decode a picture of a TIFF file.

    Args:
        data: the file's bytes.
        limits: checked before a pixel is decoded.
        page: 1 is the first, smaller copies not counted; None as in `choose_picture`.

    Raises:
        PictureError: it is cut off, too large, of a kind that nothing here reads, or has no such page.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        chosen, n_pages = choose_picture(tiff, page)
        limits.check(chosen.imagewidth, chosen.imagelength)
        photometric = photometric_of(chosen)
        metadata = _metadata(data, chosen, None if page is None else chosen.offset)
        if int(chosen.compression) == OLD_JPEG:
            photograph = replace(_decode_old_jpeg(data, chosen, limits), metadata=metadata)
        else:
            check_samples(chosen, photometric)
            check_segments(tiff, chosen, limits)
            photograph = _decoded(tiff, chosen, photometric, metadata)
        return replace(upright(photograph, orientation_of(chosen)), pages=n_pages)


def _metadata(data: bytes, page: tifffile.TiffPage, directory: int | None) -> Metadata:
    """Return what a directory says, None the first: where it is a smaller copy, it speaks for the whole file."""
    embedded = read_embedded(data, directory)
    return Metadata(dpi_of(page), block_from_tiff(data, directory), embedded.xmp, embedded.iptc)


def count_pages(path: Path) -> int:
    """Return how many pictures a TIFF file holds, smaller copies not counted; 1 for what is none, or cannot be read."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return choose_picture(tiff, None)[1]
    except Exception:  # noqa: BLE001 - whoever decodes it will say what is wrong
        return 1


def _decoded(tiff: tifffile.TiffFile, page: tifffile.TiffPage, photometric: int, metadata: Metadata) -> Photograph:
    samples: Any = read_subsampled(tiff, page) if is_subsampled(page, photometric) else page.asarray()
    if photometric == YCBCR and int(page.compression) == _JPEG and int(page.planarconfig) == 1:
        photometric = RGB  # the decoder has converted it
    icc = profile_of(page)
    pixels, is_srgb = colours_of(samples, page, photometric, icc)
    photograph = photograph_of(pixels, None if is_srgb else icc, metadata)
    return replace(photograph, remarks=(FROM_CMYK,)) if photometric == CMYK else photograph


def _decode_old_jpeg(data: bytes, page: tifffile.TiffPage, limits: PictureLimits) -> Photograph:
    """Decode TIFF 6.0's first way of holding a JPEG, where a whole one is in the file."""
    start, count = page.tags.valueof(_OLD_STREAM), page.tags.valueof(_OLD_STREAM_BYTES)
    stream = data[start : start + count] if isinstance(start, int) and isinstance(count, int) else b""
    if not stream.startswith(b"\xff\xd8") or int(page.photometric) == CMYK:
        raise unsupported(
            "The TIFF picture is a JPEG of an old kind.", "Save it again in the program that made it, as RGB or grey."
        )
    photograph = decode_jpeg(stream, limits)
    if (photograph.width, photograph.height) != (page.imagewidth, page.imagelength):
        raise unsupported("The TIFF picture is a JPEG of an old kind.", "Save it again in the program that made it.")
    return photograph
