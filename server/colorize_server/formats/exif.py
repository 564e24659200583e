"""EXIF blocks: cleaned for a picture that was decoded, and carried into TIFF, without a change to any other value.

Values are copied as the bytes they are.  Decoding texts and encoding them again would lose every letter that is not
ASCII: EXIF names no encoding, so programs write UTF-8 or whatever their system has.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np

PREFIX: Final = b"Exif\0\0"
"""What JPEG, and some WebP, put before the block."""
_MAX_BYTES: Final = 16 << 20
"""Maker notes take a few hundred kilobytes at most; whatever is longer is no EXIF."""

_MAX_ENTRIES: Final = 4096
"""Of a directory; cameras write a hundred."""
_DAMAGED: Final = (struct.error, ValueError, OverflowError)
"""What reading a damaged block raises."""

_ORIENTATION: Final = 274
_EXIF, _GPS, _INTEROP = 34665, 34853, 40965
_XP_TEXTS: Final = frozenset(range(40091, 40096))
"""XPTitle, XPComment, XPAuthor, XPKeywords, XPSubject: what Windows shows of a picture."""
_TEXTS_OF_TIFF: Final = frozenset({269, 270, 271, 272, 285, 305, 306, 315, 33432}) | _XP_TEXTS
"""DocumentName, ImageDescription, Make, Model, PageName, Software, DateTime, Artist, Copyright, Windows' texts.  The
other tags of a TIFF's main directory are those of its pixels."""
_OF_PIXELS: Final = frozenset({273, 279, 324, 325, 330, 513, 514})
"""Tags that lead to pixels, such as the thumbnail's (which would show the grey picture): none of them comes along."""

_ASCII, _SHORT, _LONG, _UTF8 = 2, 3, 4, 129
_SAMPLE_BYTES: Final = {
    **dict.fromkeys((1, _ASCII, 6, 7, _UTF8), 1),
    **dict.fromkeys((_SHORT, 8), 2),
    **dict.fromkeys((_LONG, 5, 9, 10, 11), 4),
    12: 8,
}
"""Type to bytes of what a change of byte order swaps."""
_POINTER_BYTES: Final = {13: 4, 16: 8, 18: 8}
"""Types that lead to directories, in BigTIFF above all; they are followed and not copied."""
_RATIONALS: Final = (5, 10)
"""Types of which one value is two samples."""


class _Value(NamedTuple):
    """A tag's type, its number of values, and their bytes, the lowest of each first."""

    kind: int
    n_values: int
    data: bytes


_Directory: TypeAlias = dict[int, _Value]


class _Directories(NamedTuple):
    """The directories of a block that are kept: IFD0, and those that its tags and EXIF's lead to."""

    main: _Directory
    exif: _Directory
    gps: _Directory
    interop: _Directory


class _Entry(NamedTuple):
    """Where a directory says that the value of a tag lies."""

    tag: int
    kind: int
    n_values: int
    at: int
    n_bytes: int


def clean_block(block: bytes | memoryview) -> bytes | None:
    r"""Return an EXIF block ("Exif\0\0" not included) without its thumbnail and with Orientation 1.

    None if nothing is left, or if it is damaged: that is common in old scans, and the picture matters more.
    """
    return _cleaned(block, None)


def block_from_tiff(data: bytes | memoryview, directory: int | None = None) -> bytes | None:
    """Return what a TIFF file (or BigTIFF) says about a picture as an EXIF block; None as in `clean_block`.

    Args:
        data: the file.
        directory: offset of the picture's directory; None for the first.

    Of the main directory that are the texts; the directories of EXIF and GPS are taken whole.
    """
    return _cleaned(data, _TEXTS_OF_TIFF, directory)


def tag_of_tiff(data: bytes | memoryview, tag: int, directory: int | None = None) -> bytes | None:
    """Return the bytes of a tag of a TIFF's directory (None: the first), in the file's order; None if there is none."""
    try:
        for entry in _entries(data, directory or _first_directory(data)):
            if entry.tag == tag and entry.n_bytes <= _MAX_BYTES:
                return bytes(data[entry.at : entry.at + entry.n_bytes])
    except _DAMAGED:
        return None
    return None


def add_to_tiff(stream: io.BytesIO, block: bytes) -> None:
    """Add a clean block to a TIFF: its texts, and the directories of EXIF and GPS.

    Args:
        stream: a whole file, little-endian, not BigTIFF.
        block: what `clean_block` or `block_from_tiff` returned.
    """
    directories = _read(block, _TEXTS_OF_TIFF)
    end = stream.seek(0, io.SEEK_END)
    stream.write(bytes(end % 2))  # directories begin at even offsets
    base, appended = stream.tell(), bytearray()
    added = directories.main | _append_directories(appended, directories, base)
    with stream.getbuffer() as file:
        start = _first_directory(file)
        (count,) = struct.unpack_from("<H", file, start)
        fields = [bytes(file[at : at + 12]) for at in range(start + 2, start + 2 + 12 * count, 12)]
        # Tags stand in ascending order, so that the directory is written anew; what its values lead to stays in place.
        struct.pack_into("<I", file, 4, _append(appended, added, base, fields))
    stream.write(appended)


def _cleaned(data: bytes | memoryview, wanted: frozenset[int] | None, directory: int | None = None) -> bytes | None:
    try:
        directories = _read(data, wanted, directory)
    except _DAMAGED:
        return None
    if not any(directories):
        return None
    if _ORIENTATION in directories.main:
        directories.main[_ORIENTATION] = _Value(_SHORT, 1, struct.pack("<H", 1))  # what leaves here stands upright
    block = bytearray(b"II*\0\0\0\0\0")
    directories.main.update(_append_directories(block, directories, 0))
    struct.pack_into("<I", block, 4, _append(block, directories.main, 0))
    return bytes(block)


def _read(data: bytes | memoryview, wanted: frozenset[int] | None, directory: int | None = None) -> _Directories:
    """Read the directories; of the main one only the tags that are wanted, None for all.

    Raises:
        ValueError, struct.error, OverflowError: the main one is damaged, or all are too long.
    """
    main = {entry.tag: entry for entry in _entries(data, directory or _first_directory(data))}
    exif = _entries_of(data, main.get(_EXIF))
    gps = _entries_of(data, main.get(_GPS))
    interop = _entries_of(data, exif.get(_INTEROP))
    for tag in main.keys() & (_OF_PIXELS | {_EXIF, _GPS}):
        del main[tag]
    exif.pop(_INTEROP, None)
    kept = {tag: entry for tag, entry in main.items() if wanted is None or tag in wanted}
    # Many tags may share the same bytes, and each of them becomes a copy.
    if sum(entry.n_bytes for entries in (kept, exif, gps, interop) for entry in entries.values()) > _MAX_BYTES:
        raise ValueError("too long")
    return _Directories(*(_values(data, entries) for entries in (kept, exif, gps, interop)))


def _order(data: bytes | memoryview) -> str:
    return {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "=")


def _is_big(data: bytes | memoryview) -> bool:
    """Whether it is a BigTIFF."""
    (version,) = struct.unpack_from(_order(data) + "H", data, 2)
    if _order(data) == "=" or version not in (42, 43):
        raise ValueError("no TIFF structure")
    return bool(version == 43)


def _first_directory(data: bytes | memoryview) -> int:
    offset: int
    (offset,) = struct.unpack_from(_order(data) + ("Q" if _is_big(data) else "I"), data, 8 if _is_big(data) else 4)
    return offset


def _entries_of(data: bytes | memoryview, pointer: _Entry | None) -> dict[int, _Entry]:
    """Return the entries of the directory that a tag leads to; none if there is no such tag, or it leads nowhere."""
    if pointer is None or pointer.n_bytes not in (4, 8):
        return {}
    try:
        (offset,) = struct.unpack_from(_order(data) + ("I" if pointer.n_bytes == 4 else "Q"), data, pointer.at)
        return {entry.tag: entry for entry in _entries(data, offset)}
    except _DAMAGED:
        return {}


def _entries(data: bytes | memoryview, offset: int) -> Iterator[_Entry]:
    """Yield the entries of a directory whose values lie within the data.

    Raises:
        ValueError, struct.error, OverflowError: the directory does not.
    """
    order, big = _order(data), _is_big(data)
    entry_bytes, room = (20, 8) if big else (12, 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    start = offset + (8 if big else 2)
    if count > _MAX_ENTRIES or start + count * entry_bytes > len(data):
        raise ValueError("a directory is too long, or cut off")
    for at in range(start, start + count * entry_bytes, entry_bytes):
        tag, kind, n_values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, at)
        sample_bytes = _SAMPLE_BYTES.get(kind) or _POINTER_BYTES.get(kind)
        if sample_bytes is None:
            continue
        n_bytes = n_values * sample_bytes * (2 if kind in _RATIONALS else 1)
        value_at = at + entry_bytes - room
        if n_bytes > room:
            (value_at,) = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)
        if value_at + n_bytes <= len(data):
            yield _Entry(tag, kind, n_values, value_at, n_bytes)


def _values(data: bytes | memoryview, entries: dict[int, _Entry]) -> _Directory:
    order = _order(data)
    values = {}
    for tag, entry in entries.items():
        if (sample_bytes := _SAMPLE_BYTES.get(entry.kind)) is not None:
            raw = bytes(data[entry.at : entry.at + entry.n_bytes])
            # Only the order of the bytes matters here, not what they mean.
            swapped = np.frombuffer(raw, f"{order}u{sample_bytes}").astype(f"<u{sample_bytes}")
            values[tag] = _Value(entry.kind, entry.n_values, swapped.tobytes())
    return values


def _append_directories(block: bytearray, directories: _Directories, base: int) -> _Directory:
    """Append EXIF and GPS to a block that lies at `base` of its file; return the tags that lead there."""
    exif = dict(directories.exif)
    if directories.interop:
        exif[_INTEROP] = _pointer(_append(block, directories.interop, base))
    return {
        tag: _pointer(_append(block, directory, base))
        for tag, directory in ((_EXIF, exif), (_GPS, directories.gps))
        if directory
    }


def _pointer(offset: int) -> _Value:
    return _Value(_LONG, 1, struct.pack("<I", offset))


def _append(block: bytearray, directory: _Directory, base: int, fields: Iterable[bytes] = ()) -> int:
    """Append a directory and its values, and fields of 12 bytes that it has besides; return its offset in the file."""
    fields, offset = list(fields), base + len(block)
    values_at = offset + 2 + 12 * (len(directory) + len(fields)) + 4
    values = bytearray()
    for tag, value in directory.items():
        inline = value.data.ljust(4, b"\0")
        if len(value.data) > 4:
            inline = struct.pack("<I", values_at + len(values))
            values += value.data + bytes(len(value.data) % 2)  # values begin at even offsets
        fields.append(struct.pack("<HHI", tag, value.kind, value.n_values) + inline)
    fields.sort(key=lambda field: int.from_bytes(field[:2], "little"))
    block += struct.pack("<H", len(fields)) + b"".join(fields) + bytes(4) + values
    return offset
