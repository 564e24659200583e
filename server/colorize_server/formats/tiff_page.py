"""Which picture of a TIFF file is the photograph, and what its tags mean where they are written oddly."""

import itertools
from typing import Final

import numpy as np
import tifffile
from PIL import Image

from ..errors import PictureError

_REDUCED_OR_MASK: Final = 1 | 4
"""Bits of NewSubfileType (TIFF 6.0): a smaller copy of another picture, a transparency mask."""
_RAW: Final = (32803, 34892)
"""Photometric interpretations of camera raws: colour filter array, LinearRaw (DNG)."""
_MAX_DIRECTORIES: Final = 1000
_BYTE, _UNDEFINED = 1, 7


def full_picture(tiff: tifffile.TiffFile) -> tuple[tifffile.TiffPage, int]:
    """Return the first picture of a TIFF, or the largest of the others where the first is only a smaller copy.

    Returns:
        The picture and the number of the directory that holds it, or whose SubIFDs do.

    Raises:
        PictureError: there is none, or it is a raw of a camera or scanner.
    """
    first = tiff.pages[0]
    if not isinstance(first, tifffile.TiffPage):
        raise PictureError("The TIFF file has no picture.")
    reduced = _is_reduced(first)
    directories = itertools.islice(tiff.pages, _MAX_DIRECTORIES) if reduced else [first]
    found = [(p, n) for n, p in enumerate(directories) if isinstance(p, tifffile.TiffPage)]
    for page, number in found.copy():
        found += [(sub, number) for sub in page.pages or () if isinstance(sub, tifffile.TiffPage)]
    full = [(page, number) for page, number in found if not _is_reduced(page)]
    chosen = max(full, key=lambda place: place[0].imagewidth * place[0].imagelength, default=None)
    if chosen is None or photometric_of(chosen[0]) in _RAW:
        raise PictureError(
            "The file is a camera or scanner raw.",
            "Export a TIFF from the program that develops it.",
            code="unsupported_media_type",
            status=415,
        )
    return chosen


def _is_reduced(page: tifffile.TiffPage) -> bool:
    return bool(int(page.subfiletype) & _REDUCED_OR_MASK)


def photometric_of(page: tifffile.TiffPage) -> int:
    """Return PhotometricInterpretation; RGB where it is missing and there are three samples or more."""
    if 262 not in page.tags and page.samplesperpixel >= 3:
        return 2
    return int(page.photometric)


def orientation_of(page: tifffile.TiffPage) -> int:
    """Return Orientation, also where it is written as BYTE or UNDEFINED; 1 for what is none."""
    tag = page.tags.get(274)
    value = 1 if tag is None else tag.value
    if isinstance(value, bytes):
        return max(value[:2], default=1)
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int) else 1


def orientation_is_bytes(page: tifffile.TiffPage) -> bool:
    """Return whether Orientation has a type that Pillow does not turn the picture for."""
    tag = page.tags.get(274)
    return tag is not None and int(tag.dtype) in (_BYTE, _UNDEFINED)


def mend_palette(image: Image.Image, page: tifffile.TiffPage) -> None:
    """Give an opened picture its colours where its palette has entries of 8 bits, as libtiff reads them."""
    if image.mode == "P" and page.colormap is not None and page.colormap.max() < 256:
        image.putpalette(np.ascontiguousarray(page.colormap.T, np.uint8).tobytes())
