"""Several pages in one TIFF: files of one page each, put behind each other (TIFF 6.0, section 2)."""

import struct
from typing import BinaryIO, Final

from ..errors import OutputError

_MAX_BYTES: Final = (1 << 32) - 1
_SHORT, _LONG = 3, 4
_STRIP_OFFSETS: Final = 273
_POINTERS: Final = (34665, 34853, 40965)
"""Tags that lead to directories: EXIF, GPS, interoperability."""
_BYTES_OF: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


class PagesWriter:
    """Writes pages, one after the other, to an open file that can be sought in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._link_at: int | None = None

    def add(self, page: bytes) -> None:
        """Append a page.

        Args:
            page: what `encode_picture` returned for a TIFF.

        Raises:
            OutputError: the file would be larger than a TIFF can be.
        """
        base = self._file.tell()
        if base + len(page) + 1 > _MAX_BYTES:
            raise OutputError("The pages do not fit into one TIFF.", "Use --page N for one at a time.")
        moved = bytearray(page)
        (first,) = struct.unpack_from("<I", page, 4)
        link_at = base + _move(moved, first, base)
        self._file.write(moved + bytes(len(moved) % 2))  # directories begin at even offsets
        if self._link_at is not None:
            end = self._file.tell()
            self._file.seek(self._link_at)
            self._file.write(struct.pack("<I", base + first))
            self._file.seek(end)
        self._link_at = link_at


def _move(page: bytearray, directory: int, base: int) -> int:
    """Add `base` to every offset of a directory; return where the offset of the next one stands."""
    (count,) = struct.unpack_from("<H", page, directory)
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, n_values = struct.unpack_from("<HHI", page, at)
        (value,) = struct.unpack_from("<I", page, at + 8)
        if tag in _POINTERS:
            _move(page, value, base)
        is_inline = n_values * _BYTES_OF[kind] <= 4
        if tag == _STRIP_OFFSETS and not is_inline:
            letter = "I" if kind == _LONG else "H"
            offsets = struct.unpack_from(f"<{n_values}{letter}", page, value)
            struct.pack_into(f"<{n_values}{letter}", page, value, *(offset + base for offset in offsets))
        if not is_inline or tag in (*_POINTERS, _STRIP_OFFSETS):
            struct.pack_into("<I", page, at + 8, value + base)
    return directory + 2 + 12 * count
