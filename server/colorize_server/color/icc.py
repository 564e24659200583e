"""Read the matrix-and-curve and the grey kind of ICC profile (ICC.1:2022), exactly, at any bit depth.

Photographs carry these almost always: sRGB, Adobe RGB, ProPhoto, Display P3, Gray Gamma 2.2, Dot Gain 20 %.  Profiles
with tables (CMYK, scanners) are left to LittleCMS by the decoder.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cie import Floats
from .rgb import D50, RgbSpace, TransferCurve

HEADER_BYTES = 128
MAX_TAGS = 200
MAX_CURVE_POINTS = 65536
PROFILE_POINTS = 4096
"""Of the curves of profiles that are written."""


class UnreadableProfileError(ValueError):
    """The profile is damaged, or not of a kind that this module reads."""


@dataclass(frozen=True)
class GreyProfile:
    """A grey profile: its name and its curve to relative luminance."""

    name: str
    curve: TransferCurve


def _table_curve(name: str, values: NDArray[np.float64]) -> TransferCurve:
    grid = np.linspace(0, 1, len(values))
    rising = np.maximum.accumulate(values)

    def decode(v: Floats) -> Floats:
        return np.interp(v, grid, values)

    def encode(v: Floats) -> Floats:
        return np.interp(v, rising, grid).astype(v.dtype)

    return TransferCurve(name, decode, encode)


def _parametric(kind: int, p: tuple[float, ...]) -> Callable[[Floats], Floats]:
    """Return the decoding function of a parametricCurveType (ICC.1:2022, 10.18)."""
    g = p[0]
    a, b = (p[1], p[2]) if kind >= 1 else (1.0, 0.0)
    if kind == 0:
        return lambda v: np.maximum(v, 0) ** g
    if kind == 1:
        return lambda v: np.where(v >= -b / a, np.maximum(a * v + b, 0) ** g, 0.0)
    if kind == 2:
        c = p[3]
        return lambda v: np.where(v >= -b / a, np.maximum(a * v + b, 0) ** g, 0.0) + c
    c, d = p[3], p[4]
    e, f = (p[5], p[6]) if kind == 4 else (0.0, 0.0)
    return lambda v: np.where(v >= d, np.maximum(a * v + b, 0) ** g + e, c * v + f)


def _curve(name: str, data: bytes) -> TransferCurve:
    kind = data[:4]
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count > MAX_CURVE_POINTS or len(data) < 12 + 2 * count:
            raise UnreadableProfileError("a curve is cut off")
        values = np.frombuffer(data, ">u2", count, 12).astype(np.float64)
        if count == 0:
            return TransferCurve(name, lambda v: v, lambda v: v)
        if count == 1:
            gamma = float(values[0]) / 256
            if gamma <= 0:
                raise UnreadableProfileError("a curve has no gamma")
            return TransferCurve(
                name, lambda v: np.maximum(v, 0) ** gamma, lambda v: np.power(np.maximum(v, 0), v.dtype.type(1 / gamma))
            )
        return _table_curve(name, values / 65535)
    if kind == b"para":
        (function,) = struct.unpack_from(">H", data, 8)
        lengths = (1, 3, 4, 5, 7)
        if function >= len(lengths):
            raise UnreadableProfileError("a parametric curve is of an unknown kind")
        raw = struct.unpack_from(f">{lengths[function]}i", data, 12)
        params = tuple(v / 65536 for v in raw)
        if function >= 1 and params[1] == 0:
            raise UnreadableProfileError("a parametric curve is degenerate")
        decode = _parametric(function, params)
        # Inverting by a dense table serves all five kinds with one piece of code.
        grid = np.linspace(0, 1, 4097)
        rising = np.maximum.accumulate(decode(grid))
        return TransferCurve(name, decode, lambda v: np.interp(v, rising, grid).astype(v.dtype))
    raise UnreadableProfileError("a curve is of an unknown kind")


def _xyz(data: bytes) -> tuple[float, float, float]:
    if data[:4] != b"XYZ ":
        raise UnreadableProfileError("a colorant is not an XYZ value")
    x, y, z = struct.unpack_from(">3i", data, 8)
    return x / 65536, y / 65536, z / 65536


def _description(data: bytes) -> str:
    if data[:4] == b"desc":
        (length,) = struct.unpack_from(">I", data, 8)
        return data[12 : 12 + min(length, 200)].split(b"\0")[0].decode("ascii", "replace")
    if data[:4] == b"mluc":
        length, offset = struct.unpack_from(">II", data, 20)
        return data[offset : offset + min(length, 400)].decode("utf-16-be", "replace")
    return ""


def read_profile(profile: bytes) -> RgbSpace | GreyProfile:
    """Read an embedded ICC profile.

    Args:
        profile: the profile's bytes, as the picture's file carries them.

    Returns:
        An `RgbSpace` for a matrix profile, a `GreyProfile` for a grey one.

    Raises:
        UnreadableProfileError: it is damaged, or it needs a colour management module (tables, CMYK, Lab).
    """
    try:
        return _read(profile)
    except (struct.error, ValueError, IndexError) as error:
        raise UnreadableProfileError(str(error)) from error


def _read(profile: bytes) -> RgbSpace | GreyProfile:
    if len(profile) < HEADER_BYTES + 4 or profile[36:40] != b"acsp":
        raise UnreadableProfileError("it has no ICC header")
    space, connection = profile[16:20], profile[20:24]
    (count,) = struct.unpack_from(">I", profile, HEADER_BYTES)
    if count > MAX_TAGS:
        raise UnreadableProfileError("it lists too many tags")
    tags: dict[bytes, bytes] = {}
    for i in range(count):
        name, offset, length = struct.unpack_from(">4sII", profile, HEADER_BYTES + 4 + 12 * i)
        tags[name] = profile[offset : offset + length]
    title = _description(tags.get(b"desc", b"")) or "unnamed ICC profile"
    if space == b"GRAY" and b"kTRC" in tags:
        curve = _curve(title, tags[b"kTRC"])
        if connection == b"Lab ":
            # The curve then leads to L*/100 (ICC.1:2022, 8.3.4).
            raise UnreadableProfileError("its connection space is Lab")
        return GreyProfile(title, curve)
    wanted = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    if space == b"RGB " and connection == b"XYZ " and all(t in tags for t in wanted):
        matrix = np.array([_xyz(tags[t]) for t in wanted[:3]]).T
        if not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix)) < 1e-6 or np.any(matrix.sum(axis=1) < 0.05):
            raise UnreadableProfileError("its colorants are degenerate")
        red, green, blue = (_curve(title, tags[t]) for t in wanted[3:])
        return RgbSpace(title, matrix, (red, green, blue))
    raise UnreadableProfileError("it is not of the matrix or the grey kind")


def matrix_profile(space: RgbSpace) -> bytes:
    """Return an ICC profile (version 2.4, matrix and curves) of a space whose three curves are the same."""
    points = np.clip(space.curves[0].decode(np.linspace(0, 1, PROFILE_POINTS)), 0, 1)
    curve = b"curv" + bytes(4) + struct.pack(">I", PROFILE_POINTS) + np.rint(points * 65535).astype(">u2").tobytes()
    name = space.name.encode("ascii", "replace") + b"\0"
    # After the ASCII text come an empty Unicode one and an empty Macintosh one (ICC.1:2001-04, 6.5.17).
    title = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    columns = [_xyz_tag(*space.to_xyz_d50[:, c]) for c in range(3)]
    wanted = [
        (b"desc", title),
        (b"cprt", b"text" + bytes(4) + b"No copyright\0"),
        (b"wtpt", _xyz_tag(*D50)),
        *zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True),
        *((tag, curve) for tag in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    table, body, places = b"", b"", {}
    start = HEADER_BYTES + 4 + 12 * len(wanted)
    for tag, data in wanted:
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", places[data], len(data))
    header = struct.pack(">I4x4s4s4s4s12x4s28x", start + len(body), b"\2\x40\0\0", b"mntr", b"RGB ", b"XYZ ", b"acsp")
    header += _xyz_tag(*D50)[8:] + bytes(48)
    return header + struct.pack(">I", len(wanted)) + table + body


def _xyz_tag(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in (x, y, z)))
