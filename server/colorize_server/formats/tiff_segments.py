"""Strips and tiles of a TIFF picture: whether all are there and whole; those that tifffile cannot read."""

import math
from typing import Any, Final

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import PictureError
from ..picture.photograph import Pixels
from .jpeg import has_end, lacks_only_its_end, read_frame
from .limits import PictureLimits, unsupported

_UNCOMPRESSED: Final = 1
_FAX: Final = (2, 3, 4)
OLD_JPEG: Final = 6
_JPEG: Final = 7
_JPEGS: Final = (_JPEG, 34892, 33007)
_YCBCR: Final = 6
_COPY_AGAIN: Final = "Copy it again from its source, or save it again."
_FAX_NAMES: Final = {2: "RLE", 3: "Group 3", 4: "Group 4"}


def check_segments(tiff: tifffile.TiffFile, page: tifffile.TiffPage, limits: PictureLimits) -> None:
    """Look that all strips or tiles are there: tifffile leaves black what is missing.

    Raises:
        PictureError: some are missing or cut off, or they are packed by a method that nothing here reads.
    """
    compression = int(page.compression)
    if page.is_tiled:
        limits.check(page.tilewidth, page.tilelength)
    if compression not in (_UNCOMPRESSED, OLD_JPEG, *_JPEGS, *_FAX) and not _is_known(compression):
        name = getattr(page.compression, "name", str(compression))
        raise unsupported(
            f"The TIFF picture is packed by a method that is not read ({name}).",
            "Save it with LZW, or without packing.",
        )
    offsets, counts = page.dataoffsets, page.databytecounts
    if len(offsets) != len(counts) or len(offsets) < _n_segments(page):
        raise PictureError("Parts of the TIFF picture are missing.", _COPY_AGAIN)
    size = tiff.filehandle.size
    if any(o <= 0 or n <= 0 or o + n > size for o, n in zip(offsets, counts, strict=True)):
        raise PictureError("The TIFF picture is cut off.", _COPY_AGAIN)
    if compression in _JPEGS:
        for offset, count in zip(offsets, counts, strict=True):
            _check_jpeg(_bytes_at(tiff, offset, count), page, limits)


def _is_known(compression: int) -> bool:
    try:
        return callable(tifffile.TIFF.DECOMPRESSORS[compression])
    except KeyError:
        return False


def _n_segments(page: tifffile.TiffPage) -> int:
    planes = page.samplesperpixel if int(page.planarconfig) == 2 else 1
    if page.is_tiled:
        return planes * math.ceil(page.imagewidth / page.tilewidth) * math.ceil(page.imagelength / page.tilelength)
    return planes * math.ceil(page.imagelength / max(1, page.rowsperstrip))


def _bytes_at(tiff: tifffile.TiffFile, offset: int, count: int) -> bytes:
    tiff.filehandle.seek(offset)
    return bytes(tiff.filehandle.read(count))


def _check_jpeg(data: bytes, page: tifffile.TiffPage, limits: PictureLimits) -> None:
    frame = read_frame(data)
    limits.check(frame.width, max(frame.height, 1))
    if has_end(data, frame):
        return

    def decode(jpeg: bytes) -> NDArray[Any]:
        return np.asarray(imagecodecs.jpeg8_decode(jpeg, tables=page.jpegtables))

    if not lacks_only_its_end(data, frame, decode):
        raise PictureError("A JPEG within the TIFF picture is cut off.", _COPY_AGAIN)


def is_subsampled(page: tifffile.TiffPage, photometric: int) -> bool:
    """Return whether colours are stored more coarsely than lightness, in a way that tifffile does not read."""
    return photometric == _YCBCR and int(page.compression) not in _JPEGS and page.subsampling not in (None, (1, 1))


def read_subsampled(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> Pixels:
    """Return YCbCr, (height, width, 3) uint8, of colours that are shared by neighbouring pixels (TIFF 6.0, section 21).

    Raises:
        PictureError: they are stored in planes, or in a way that TIFF does not have.
    """
    across, down = page.subsampling or (1, 1)
    if int(page.planarconfig) != 1 or page.samplesperpixel != 3 or across not in (1, 2, 4) or down not in (1, 2, 4):
        raise unsupported("The TIFF picture's colours are stored in a rare way.", "Save it as RGB.")
    width, rows = page.imagewidth, page.rowsperstrip
    if page.is_tiled:
        width, rows = page.tilewidth, page.tilelength
    columns = math.ceil(page.imagewidth / width)
    picture: Pixels = np.empty((page.imagelength, page.imagewidth, 3), np.uint8)
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        top, left = index // columns * rows, index % columns * width
        n_rows = rows if page.is_tiled else min(rows, page.imagelength - top)
        part = _blocks(_unpacked(_bytes_at(tiff, offset, count), page, width * n_rows * 3), n_rows, width, across, down)
        part = part[: page.imagelength - top, : page.imagewidth - left]
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    return picture


def _unpacked(data: bytes, page: tifffile.TiffPage, at_most: int) -> bytes:
    if int(page.fillorder) == 2 or int(page.predictor) != 1:
        raise unsupported("The TIFF picture's colours are stored in a rare way.", "Save it as RGB.")
    if int(page.compression) == _UNCOMPRESSED:
        return data
    return bytes(tifffile.TIFF.DECOMPRESSORS[int(page.compression)](data, out=at_most))


def _blocks(data: bytes, rows: int, width: int, across: int, down: int) -> Pixels:
    """Spread blocks of `across` x `down` lightnesses and one pair of colours over pixels."""
    high, wide, size = math.ceil(rows / down), math.ceil(width / across), across * down + 2
    blocks = np.frombuffer(data, np.uint8, high * wide * size).reshape(high, wide, size)
    lightness = blocks[..., :-2].reshape(high, wide, down, across).transpose(0, 2, 1, 3)
    colours = np.repeat(np.repeat(blocks[..., -2:], down, axis=0), across, axis=1)
    pixels = np.concatenate([lightness.reshape(high * down, wide * across, 1), colours], axis=-1)
    return np.ascontiguousarray(pixels[:rows, :width])
