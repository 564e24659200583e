"""Which pictures a TIFF file holds, and what its tags mean where they are written oddly."""

import itertools
from typing import Any, Final

import tifffile

from ..errors import PictureError
from .limits import unsupported
from .with_pillow import sound_dpi

_REDUCED_OR_MASK: Final = 1 | 4
"""Bits of NewSubfileType (TIFF 6.0): a smaller copy of another picture, a transparency mask."""
_RAW: Final = (32803, 34892)
"""Photometric interpretations of camera raws: colour filter array, LinearRaw (DNG)."""
_MAX_DIRECTORIES: Final = 1000
_X_RESOLUTION, _Y_RESOLUTION, _UNIT = 282, 283, 296
_ORIENTATION: Final = 274
_PROFILE: Final = 34675
_PER_INCH: Final = {2: 1.0, 3: 2.54}
"""ResolutionUnit to units per inch."""


def choose_picture(tiff: tifffile.TiffFile, page: int | None) -> tuple[tifffile.TiffPage, int]:
    """Return a picture of a TIFF, and how many there are.

    Args:
        tiff: the file.
        page: 1 is the first, smaller copies and masks not counted; None takes the first, or the largest of the others
            where the file begins with a smaller copy.

    Raises:
        PictureError: there is none, none of that number, or it is a raw of a camera or scanner.
    """
    first = tiff.pages[0]
    if not isinstance(first, tifffile.TiffPage):
        raise PictureError("The TIFF file has no picture.")
    directories = [p for p in itertools.islice(tiff.pages, _MAX_DIRECTORIES) if isinstance(p, tifffile.TiffPage)]
    full = [directory for directory in directories if not _is_reduced(directory)]
    if page is not None:
        if not 1 <= page <= len(full):
            raise PictureError(
                f"The TIFF file has {len(full)} pages, and no page {page}.", "Choose another with --page."
            )
        chosen: tifffile.TiffPage | None = full[page - 1]
    else:
        looked_at = directories if _is_reduced(first) else [first]
        candidates = [p for p in [*looked_at, *_subs_of(looked_at)] if not _is_reduced(p)]
        chosen = max(candidates, key=lambda place: place.imagewidth * place.imagelength, default=None)
    if chosen is None or _is_raw(chosen):
        raise unsupported("The file is a camera or scanner raw.", "Export a TIFF from the program that develops it.")
    return chosen, max(len(full), 1)


def _subs_of(directories: list[tifffile.TiffPage]) -> list[tifffile.TiffPage]:
    return [sub for page in directories for sub in page.pages or () if isinstance(sub, tifffile.TiffPage)]


def _is_reduced(page: tifffile.TiffPage) -> bool:
    return bool(int(page.subfiletype) & _REDUCED_OR_MASK)


def _is_raw(page: tifffile.TiffPage) -> bool:
    return photometric_of(page) in _RAW


def photometric_of(page: tifffile.TiffPage) -> int:
    """Return PhotometricInterpretation; RGB where it is missing and there are three samples or more."""
    if 262 not in page.tags and page.samplesperpixel >= 3 and int(page.photometric) != 6:
        return 2
    return int(page.photometric)


def orientation_of(page: tifffile.TiffPage) -> int:
    """Return Orientation, also where it is written as bytes of any kind; 1 for what is none."""
    value = _value(page, _ORIENTATION)
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    if isinstance(value, bytes):
        return max(value[:2], default=1)
    return int(value) if isinstance(value, int) else 1


def dpi_of(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Return the resolution in pixels per inch; None if the file names no unit, or no number of any use."""
    per_inch = _PER_INCH.get(unit if isinstance(unit := _value(page, _UNIT, 2), int) else 2)
    numbers = [_number(page, tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    if per_inch is None or numbers[0] is None or numbers[1] is None:
        return None
    return sound_dpi(numbers[0] * per_inch, numbers[1] * per_inch)


def profile_of(page: tifffile.TiffPage) -> bytes | None:
    """Return the ICC profile."""
    tag = page.tags.get(_PROFILE)
    return bytes(tag.value) if tag is not None and isinstance(tag.value, bytes) else None


def _value(page: tifffile.TiffPage, number: int, default: Any = None) -> Any:
    """Return a tag's value, the first of several."""
    tag = page.tags.get(number)
    value = default if tag is None else tag.value
    return value[0] if isinstance(value, tuple) and value else value


def _number(page: tifffile.TiffPage, number: int) -> float | None:
    """Return a fraction, or a plain number, that a tag holds."""
    tag = page.tags.get(number)
    value = None if tag is None else tag.value
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, int) for part in value):
        return float(value[0] / value[1]) if value[1] else None
    return float(value) if isinstance(value, int | float) else None
