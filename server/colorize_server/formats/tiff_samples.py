"""Samples of TIFF pictures: which kinds are taken, and the colours that they stand for."""

from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import PictureError
from ..picture.photograph import Pixels
from .limits import unsupported
from .meaning import as_channels, full_range, srgb_from_cmyk, srgb_from_lab, straight, strips

WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK, YCBCR, CIE_LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
"""Photometric interpretations (TIFF 6.0; ICC_LAB: Adobe PageMaker 6.0 technical notes)."""
_COLOURS: Final = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, CIE_LAB: 3, ICC_LAB: 3}
"""Channels without alpha."""
_MAX_SAMPLES: Final = 5
"""CMYK and alpha."""
_COEFFICIENTS, _REFERENCE = 529, 532
_ASSOCIATED, _UNASSOCIATED = 1, 2
_INKS_CMYK: Final = 1


def check_samples(page: tifffile.TiffPage, photometric: int) -> None:
    """Refuse what is no photograph of 1 to 16 bits, before it is decoded.

    Raises:
        PictureError: in words.
    """
    # Either would take memory that the check of width and height knows nothing of.
    if page.samplesperpixel > _MAX_SAMPLES:
        raise unsupported(
            f"The TIFF picture has {page.samplesperpixel} channels.",
            "Save it without the channels beside its colours and one for transparency.",
        )
    if page.imagedepth != 1:
        raise unsupported(
            f"The TIFF picture is {page.imagedepth} layers deep.", "Save one of them as a picture of its own."
        )
    kind, bits = page.sampleformat, page.bitspersample
    if not isinstance(bits, int) or not isinstance(kind, int):
        raise unsupported("The TIFF picture's channels differ in depth.", "Save it with 8 or 16 bits a channel.")
    if int(kind) != 1 or not 1 <= bits <= 16:
        name = {2: "signed integers", 3: "floating point"}.get(int(kind), "integers")
        raise unsupported(
            f"The TIFF picture has {bits} bits of {name} a channel.", "Save it with 8 or 16 bits a channel."
        )
    if photometric not in _COLOURS or (photometric == CMYK and page.tags.valueof(332, _INKS_CMYK) != _INKS_CMYK):
        raise unsupported("The TIFF picture's colours are of a rare kind.", "Save it as RGB or grey.")
    if (photometric in (YCBCR, CIE_LAB, ICC_LAB) and bits != 8) and not (photometric != YCBCR and bits == 16):
        raise unsupported(f"The TIFF picture has colours of a rare kind of {bits} bits.", "Save it as RGB or grey.")
    if page.samplesperpixel < _COLOURS[photometric]:
        raise PictureError("The TIFF picture lacks channels.", "Save it again from the program that made it.")


def colours_of(samples: Any, page: tifffile.TiffPage, photometric: int, icc: bytes | None) -> tuple[Pixels, bool]:
    """Return grey or RGB, with alpha where the file has it.

    Args:
        samples: as `tifffile` returns them.
        page: where they come from.
        photometric: what they stand for; RGB where the decoder has turned YCbCr into it.
        icc: the profile, of inks.

    Returns:
        (height, width, 1 to 4) uint8 or uint16 at full range, and whether these are sRGB already.
    """
    if samples.dtype == np.bool_:
        samples = samples.view(np.uint8)
    if samples.ndim == 3 and int(page.planarconfig) == 2:
        samples = np.moveaxis(samples, 0, -1)
    wanted = _COLOURS[photometric]
    extra = int(next(iter(page.extrasamples), 0))
    has_alpha = extra in (_ASSOCIATED, _UNASSOCIATED) and page.samplesperpixel > wanted
    pixels: Any = np.ascontiguousarray(as_channels(samples)[..., : wanted + has_alpha])
    if photometric == PALETTE:
        return _from_palette(pixels, page), False
    pixels = full_range(pixels if pixels.flags.writeable else pixels.copy(), int(page.bitspersample))
    if photometric == WHITE_IS_ZERO:
        pixels[..., 0] = np.iinfo(pixels.dtype).max - pixels[..., 0]  # not what follows: alpha counts from transparent
    if extra == _ASSOCIATED and has_alpha:
        pixels = straight(pixels)
    if photometric == CMYK:
        return srgb_from_cmyk(pixels, icc), True
    if photometric == YCBCR:
        return _from_ycbcr(pixels, page), False
    if photometric in (CIE_LAB, ICC_LAB):
        return _from_lab(pixels, offset=photometric == ICC_LAB), True
    return pixels, False


def _from_palette(pixels: Pixels, page: tifffile.TiffPage) -> Pixels:
    """Look colours up; 8 bits where the palette has no more, grey where all its entries are."""
    table: Any = page.colormap
    if table is None or table.shape[0] != 3 or table.shape[1] != 1 << int(page.bitspersample):
        raise PictureError("The TIFF picture's palette is missing or cut off.", "Copy it again from its source.")
    table = np.asarray(table, np.uint16).T
    if table.max() < 256:  # as libtiff reads them
        table = table.astype(np.uint8)
    elif np.all(table & 255 == 0) or np.all(table == (table >> 8) * np.uint16(257)):
        table = (table >> 8).astype(np.uint8)
    if np.all(table == table[:, :1]):
        table = table[:, :1]
    colours = table[pixels[..., 0]]
    if pixels.shape[2] == 1:
        return np.asarray(colours)
    alpha = full_range(pixels[..., 1:].astype(table.dtype), int(page.bitspersample))
    return np.concatenate([colours, alpha], axis=-1)


def _fractions(page: tifffile.TiffPage, number: int, defaults: tuple[float, ...]) -> NDArray[np.float64]:
    """Return fractions of a tag, or what TIFF 6.0 takes without it."""
    value = page.tags.valueof(number)
    if not isinstance(value, tuple) or len(value) != 2 * len(defaults) or 0 in value[1::2]:
        return np.array(defaults)
    return np.array(value[::2], np.float64) / np.array(value[1::2])


def _from_ycbcr(pixels: Pixels, page: tifffile.TiffPage) -> Pixels:
    """Return RGB (TIFF 6.0, section 21)."""
    red, green, blue = _fractions(page, _COEFFICIENTS, (0.299, 0.587, 0.114))
    reference = _fractions(page, _REFERENCE, (0, 255, 128, 255, 128, 255))
    black, white = reference[::2], reference[1::2]
    scale = np.array([255.0, 127.0, 127.0]) / np.where(white == black, 1, white - black)
    result = np.concatenate([pixels[..., :3], pixels[..., 3:]], axis=-1)
    for rows in strips(pixels):
        y, cb, cr = np.moveaxis((pixels[rows, :, :3] - black) * scale, -1, 0)
        r, b = cr * (2 - 2 * red) + y, cb * (2 - 2 * blue) + y
        g = (y - blue * b - red * r) / (green or 1)
        result[rows, :, :3] = np.rint(np.clip(np.stack([r, g, b], axis=-1), 0, 255))
    return result


def _from_lab(pixels: Pixels, *, offset: bool) -> Pixels:
    """Return sRGB of L*a*b* (D50): a* and b* are signed, or in the ICC's way, counted from 128.

    L* of 100 is 255, or 65535 (65280 in the ICC's way); a unit of a* or b* is 1, or 256.
    """
    wide = pixels.dtype == np.uint16
    unit = 256 if wide else 1
    full = (0xFF00 if offset else 0xFFFF) if wide else 0xFF
    result = pixels.copy()
    for rows in strips(pixels):
        lightness = pixels[rows, :, :1].astype(np.float32) * np.float32(100 / full)
        opponent = pixels[rows, :, 1:3].astype(np.int32)
        if offset:
            opponent -= 128 * unit
        else:
            opponent = pixels[rows, :, 1:3].view(np.int16 if wide else np.int8).astype(np.int32)
        lab = np.concatenate([lightness, opponent.astype(np.float32) / np.float32(unit)], axis=-1)
        result[rows, :, :3] = srgb_from_lab(lab, pixels.dtype)
    return result
