"""PNG files: 16 bits at full depth, and the colour space that their chunks name (PNG, third edition, 4.3)."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import imagecodecs
import numpy as np

from ..color.rgb import BT709_PRIMARIES, D65, LINEAR_CURVE, SRGB_CURVE, RgbSpace, TransferCurve, gamma_curve, space_of
from ..errors import PictureError
from ..picture.photograph import Photograph, Pixels
from .limits import PictureLimits, unsupported
from .meaning import as_channels, photograph_of, upright, with_keyed_alpha
from .with_pillow import decode_with_pillow, metadata_of, opened_by_pillow, orientation_of

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY: Final = 0
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
"""Of the colour types."""
_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, steps between columns and rows (PNG, 8.1)."""
_GAMMA_OF_SRGB: Final = 1 / 2.2
_GAMMA_TOLERANCE: Final = 0.05
"""What libpng takes for sRGB's curve (PNG_GAMMA_THRESHOLD_FIXED): programs that wrote sRGB wrote gAMA 45455."""
_CHROMATICITY_TOLERANCE: Final = 0.01
_XY: Final = 100_000
"""Units of gAMA and cHRM."""

# Code points of ITU-T H.273 that stand in cICP.
_WHITES: Final = {"D65": (0.3127, 0.3290), "DCI": (0.314, 0.351)}
_PRIMARIES: Final[dict[int, tuple[tuple[tuple[float, float], ...], str]]] = {
    1: (BT709_PRIMARIES, "D65"),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), "D65"),
    6: (((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), "D65"),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), "D65"),
    11: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), "DCI"),
    12: (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), "D65"),
}
_PQ_AND_HLG: Final = (16, 18)


class _Chunk(NamedTuple):
    """A chunk's kind, its content, and all its bytes."""

    kind: bytes
    content: bytes
    whole: bytes


def decode_png(data: bytes, limits: PictureLimits) -> Photograph:
    """Decode a PNG at its full depth.

    Raises:
        PictureError: it is too large, or needs a display of high dynamic range.
    """
    data, lost = _without_damaged_ancillary(data)
    head = {chunk.kind: chunk.content for chunk in reversed(list(_chunks(data))) if chunk.kind != b"IDAT"}
    width, height, bits, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", head[b"IHDR"])
    limits.check(width, height)
    default = _from_code_points(head)
    if default is not None:  # has precedence over a profile
        data = b"".join([_SIGNATURE, *(chunk.whole for chunk in _chunks(data) if chunk.kind != b"iCCP")])
    else:
        default = _from_gamma(head)
    if bits == 16:
        photograph = _decode_16_bits(data, default, interlaced=bool(interlaced))
    else:
        key = None
        if colour_type == _GREY and len(head.get(b"tRNS", b"")) == 2:
            top = (1 << bits) - 1
            key = (int.from_bytes(head[b"tRNS"], "big") & top) * 255 // top
        photograph = decode_with_pillow(data, "PNG", limits, default, key)
    if lost:
        remark = f"A part of the PNG that is not its pixels is damaged and was left out ({', '.join(sorted(lost))})."
        photograph = replace(photograph, remarks=(*photograph.remarks, remark))
    return photograph


def _chunks(data: bytes) -> Iterator[_Chunk]:
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield _Chunk(kind, data[at + 8 : at + 8 + length], data[at : at + 12 + length])
        at += 12 + length


def _without_damaged_ancillary(data: bytes) -> tuple[bytes, set[str]]:
    """Leave out ancillary chunks whose checksum is wrong, as libpng does; the kinds of these are returned as well.

    Raises:
        PictureError: the checksum of the pixels, or of what they need, is wrong (Pillow does not look at it).
    """
    kept, lost = [_SIGNATURE], set()
    for chunk in _chunks(data):
        if zlib.crc32(chunk.whole[4:-4]) == int.from_bytes(chunk.whole[-4:], "big"):
            kept.append(chunk.whole)
        elif chunk.kind[:1].islower():
            lost.add(chunk.kind.decode("latin-1"))
        else:
            raise PictureError("The PNG picture is damaged or cut off.", "Copy it again from its source.")
    return (b"".join(kept), lost) if lost else (data, lost)


def _decode_16_bits(data: bytes, default: RgbSpace | None, *, interlaced: bool) -> Photograph:
    with opened_by_pillow(data, "PNG") as image:
        if "exif" not in image.info:
            image.load()  # the block may come after the pixels
        pages = int(getattr(image, "n_frames", 1))
        pixels = _interlaced_pixels(data) if interlaced else _pixels(data)
        if "transparency" in image.info and pixels.shape[2] in (1, 3):
            pixels = with_keyed_alpha(pixels, image.info["transparency"])
        photograph = photograph_of(pixels, image.info.get("icc_profile"), metadata_of(image), default)
        return replace(upright(photograph, orientation_of(image)), pages=pages)


def _pixels(data: bytes) -> Pixels:
    # Only what the pixels need: libpng writes to standard error of all else that it finds odd.
    needed = b"".join(chunk.whole for chunk in _chunks(data) if chunk.kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND"))
    return as_channels(imagecodecs.png_decode(_SIGNATURE + needed))


def _interlaced_pixels(data: bytes) -> Pixels:
    """Decode a PNG of 16 bits whose pixels come in seven passes: each of them is a PNG of its own.

    Decoding them in one makes the decoder complain on standard error.
    """
    chunks = list(_chunks(data))
    width, height, bits, colour_type, *_ = struct.unpack(">IIBBBBB", chunks[0].content)
    packed = b"".join(chunk.content for chunk in chunks if chunk.kind == b"IDAT")
    n_bytes = 2 * _CHANNELS[colour_type]
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in _PASSES]
    filtered = zlib.decompressobj().decompress(packed, sum(h * (1 + n_bytes * w) for w, h in sizes if w > 0 and h > 0))
    picture: Pixels = np.zeros((height, width, _CHANNELS[colour_type]), np.uint16)
    at = 0
    for (x, y, dx, dy), (w, h) in zip(_PASSES, sizes, strict=True):
        if w <= 0 or h <= 0:
            continue
        part = filtered[at : at + h * (1 + n_bytes * w)]
        at += len(part)
        header = _chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour_type, 0, 0, 0))
        one = _SIGNATURE + header + _chunk(b"IDAT", zlib.compress(part, 1)) + _chunk(b"IEND", b"")
        picture[y::dy, x::dx] = as_channels(imagecodecs.png_decode(one))
    return picture


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _from_code_points(head: dict[bytes, bytes]) -> RgbSpace | None:
    """Return the space of ITU-T H.273 that cICP names; None if there is none that is known here: others count then.

    Raises:
        PictureError: its light is not that of a photograph.
    """
    if len(head.get(b"cICP", b"")) != 4:
        return None
    primaries, transfer, matrix, full_range = head[b"cICP"]
    if transfer in _PQ_AND_HLG:
        raise unsupported("The PNG has a high dynamic range (PQ or HLG).", "Export it with an ordinary profile.")
    curves: dict[int, TransferCurve] = {
        **dict.fromkeys((1, 6, 14, 15), TransferCurve("BT.709", _bt709_decode, _bt709_encode)),
        4: gamma_curve(2.2),
        5: gamma_curve(2.8),
        8: LINEAR_CURVE,
        13: SRGB_CURVE,
    }
    if matrix or full_range != 1 or primaries not in _PRIMARIES or transfer not in curves:
        return None
    points, white = _PRIMARIES[primaries]
    return space_of(f"cICP {primaries}/{transfer}", points, _xyz(_WHITES[white]), curves[transfer])


def _bt709_decode(v: Any) -> Any:
    return np.where(v < 0.081, v / 4.5, ((np.maximum(v, 0.081) + 0.099) / 1.099) ** (1 / 0.45))


def _bt709_encode(v: Any) -> Any:
    power = v.dtype.type(1.099) * np.power(np.maximum(v, 0.018), v.dtype.type(0.45)) - v.dtype.type(0.099)
    return np.where(v < 0.018, v * 4.5, power).astype(v.dtype)


def _from_gamma(head: dict[bytes, bytes]) -> RgbSpace | None:
    """Return the space of gAMA and cHRM, which count only where there is neither a profile nor sRGB; None for sRGB."""
    if b"sRGB" in head or len(head.get(b"gAMA", b"")) != 4:
        return None
    (encoding,) = struct.unpack(">I", head[b"gAMA"])
    if not 0 < encoding < 10 * _XY:
        return None
    gamma = encoding / _XY
    points: Sequence[tuple[float, float]] = BT709_PRIMARIES
    white = D65
    is_srgb = True
    if len(head.get(b"cHRM", b"")) == 32:
        values = [value / _XY for value in struct.unpack(">8I", head[b"cHRM"])]
        pairs = tuple(zip(values[::2], values[1::2], strict=True))
        is_srgb = np.allclose(pairs, (_WHITES["D65"], *BT709_PRIMARIES), atol=_CHROMATICITY_TOLERANCE)
        if not is_srgb and _are_sound(pairs):
            points, white = pairs[1:], _xyz(pairs[0])
    if is_srgb and abs(gamma / _GAMMA_OF_SRGB - 1) < _GAMMA_TOLERANCE:
        return None
    curve = LINEAR_CURVE if encoding == _XY else gamma_curve(1 / gamma)
    return space_of(f"gAMA {gamma:g}", points, white, curve)


def _are_sound(pairs: tuple[tuple[float, float], ...]) -> bool:
    """Return whether white and primaries can be those of a space: a triangle with the white in it."""
    if any(y <= 0 for _, y in pairs):
        return False
    xyz = np.array([_xyz(pair) for pair in pairs]).T
    if abs(np.linalg.det(xyz[:, 1:])) < 1e-6:
        return False
    return bool(np.all(np.linalg.solve(xyz[:, 1:], xyz[:, 0]) > 0))


def _xyz(xy: tuple[float, float]) -> tuple[float, float, float]:
    x, y = xy
    return D65 if xy == _WHITES["D65"] else (x / y, 1.0, (1 - x - y) / y)
