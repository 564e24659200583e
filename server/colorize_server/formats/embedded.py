"""XMP and IPTC-IIM in files: found without decoding a pixel, and packed for the files that are written.

Where each container keeps them: XMP specification part 3 (ISO 16684-1 annexes), IPTC-IIM 4.2, Adobe's Photoshop file
format.  What is damaged is as good as not there: the picture matters more.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from .exif import tag_of_tiff

Bytes = bytes | memoryview

JPEG_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP_IRB: Final = b"Photoshop 3.0\0"
MAX_SEGMENT_BYTES: Final = 65_533
"""What a segment of a JPEG holds besides its own length."""
PNG_XMP: Final = b"XML:com.adobe.xmp"
TIFF_XMP: Final = 700
TIFF_IPTC: Final = 33723
_TIFF_IRB: Final = 34377
IRB_IPTC: Final = 1028
IRB_XMP: Final = 1060
_PNG_IPTC: Final = b"Raw profile type iptc"
_IIM_MARK: Final = b"\x1c"
_MAX_BYTES: Final = 4 << 20
_DAMAGED: Final = (struct.error, ValueError, IndexError, zlib.error)


class Embedded(NamedTuple):
    """What a file says besides pixels and EXIF.

    Attributes:
        xmp: a packet as it stands in the file, or None.
        iptc: IPTC-IIM records, or None.
    """

    xmp: bytes | None = None
    iptc: bytes | None = None


def read_embedded(data: Bytes, directory: int | None = None) -> Embedded:
    """Return XMP and IPTC-IIM of a PNG, JPEG, TIFF, WebP or PSD; empty for any other file.

    Args:
        data: the file's bytes.
        directory: of a TIFF, the offset of the directory that is asked; None for the first.
    """
    head = bytes(data[:12])
    try:
        if head.startswith(b"\x89PNG"):
            return _of_png(data)
        if head.startswith(b"\xff\xd8"):
            return _of_jpeg(data)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _of_tiff(data, directory)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return Embedded(next((bytes(chunk) for kind, chunk in _riff_chunks(data) if kind == b"XMP "), None))
        if head[:4] == b"8BPS":
            return _of_psd(data)
    except _DAMAGED:
        pass
    return Embedded()


def image_resource(number: int, data: bytes) -> bytes:
    """Return an image resource block of Photoshop, without a name."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)


def png_chunks_of(embedded: Embedded) -> list[tuple[bytes, bytes]]:
    """Return kinds and contents of the chunks of a PNG."""
    chunks = []
    if embedded.xmp is not None:
        chunks.append((b"iTXt", PNG_XMP + b"\0\0\0\0\0" + embedded.xmp))
    if embedded.iptc is not None:  # PNG has no place for it; ImageMagick's and ExifTool's convention
        block = image_resource(IRB_IPTC, embedded.iptc)
        digits = block.hex()
        lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
        text = f"\niptc\n{len(block):8}\n{lines}\n".encode()
        chunks.append((b"zTXt", _PNG_IPTC + b"\0\0" + zlib.compress(text)))
    return chunks


def jpeg_segments_of(embedded: Embedded) -> list[tuple[int, bytes]]:
    """Return markers and contents of the segments of a JPEG; what fits none is left out."""
    segments = []
    if embedded.xmp is not None:
        segments.append((0xE1, JPEG_XMP + embedded.xmp))
    if embedded.iptc is not None:
        segments.append((0xED, PHOTOSHOP_IRB + image_resource(IRB_IPTC, embedded.iptc)))
    return [(marker, content) for marker, content in segments if len(content) <= MAX_SEGMENT_BYTES]


def _of_png(data: Bytes) -> Embedded:
    xmp = iptc = None
    for kind, chunk in _png_chunks(data):
        if kind == b"iTXt" and bytes(chunk[:18]) == PNG_XMP + b"\0":
            is_packed, rest = chunk[18], bytes(chunk[20:])
            text = rest.split(b"\0", 2)[2]  # after the language and the translated keyword
            xmp = _unpacked(text) if is_packed else text
        elif kind in (b"zTXt", b"tEXt") and bytes(chunk[:22]) == _PNG_IPTC + b"\0":
            iptc = _raw_profile(_unpacked(bytes(chunk[23:])) if kind == b"zTXt" else bytes(chunk[22:]))
    return Embedded(xmp, iptc)


def _raw_profile(text: bytes) -> bytes | None:
    """Read what ImageMagick and ExifTool write: name, length, and hexadecimal digits."""
    _, _, digits = text.split(maxsplit=2)[0:3]
    block = bytes.fromhex(digits.decode("ascii"))
    return block if block.startswith(_IIM_MARK) else _resources(block).get(IRB_IPTC)


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MAX_BYTES)


def _png_chunks(data: Bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at = memoryview(data), 8
    while at + 12 <= len(view):
        length, kind = struct.unpack_from(">I4s", view, at)
        if length <= _MAX_BYTES and at + 12 + length <= len(view):
            yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length


def _of_jpeg(data: Bytes) -> Embedded:
    xmp, blocks = None, b""
    for marker, content in _jpeg_segments(data):
        if marker == 0xE1 and xmp is None and bytes(content[: len(JPEG_XMP)]) == JPEG_XMP:
            xmp = bytes(content[len(JPEG_XMP) :])
        elif marker == 0xED and bytes(content[: len(PHOTOSHOP_IRB)]) == PHOTOSHOP_IRB:
            blocks += bytes(content[len(PHOTOSHOP_IRB) :])  # long ones go on in the next segment
    return Embedded(xmp, _resources(blocks).get(IRB_IPTC))


def _jpeg_segments(data: Bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield markers and contents of what stands before the pixels."""
    view, at = memoryview(data), 2
    while at + 4 <= len(view) and view[at] == 0xFF:
        marker = view[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        (length,) = struct.unpack_from(">H", view, at + 2)
        yield marker, view[at + 4 : at + 2 + length]
        at += 2 + length


def _of_tiff(data: Bytes, directory: int | None) -> Embedded:
    iptc = tag_of_tiff(data, TIFF_IPTC, directory)
    if iptc and iptc[:1] != _IIM_MARK and iptc[3:4] == _IIM_MARK:
        # Written as 32-bit numbers in the file's byte order, which records of bytes have not.
        iptc = b"".join(iptc[at : at + 4][::-1] for at in range(0, len(iptc), 4))
    if not iptc:
        iptc = _resources(tag_of_tiff(data, _TIFF_IRB, directory) or b"").get(IRB_IPTC)
    return Embedded(tag_of_tiff(data, TIFF_XMP, directory), iptc and _without_padding(iptc))


def _without_padding(iptc: bytes) -> bytes:
    """Return IPTC-IIM up to the end of its last data set (IIM 4.2, 1.5): TIFF holds it in units of four bytes."""
    at = 0
    while iptc[at : at + 1] == _IIM_MARK and at + 5 <= len(iptc):
        (length,) = struct.unpack_from(">H", iptc, at + 3)
        at += 5
        if length & 0x8000:  # the length of the length
            size = length & 0x7FFF
            length = int.from_bytes(iptc[at : at + size], "big")
            at += size
        at += length
    return iptc[:at]


def _riff_chunks(data: Bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, at = memoryview(data), 12
    while at + 8 <= len(view):
        kind, length = struct.unpack_from("<4sI", view, at)
        if length <= _MAX_BYTES:
            yield kind, view[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _of_psd(data: Bytes) -> Embedded:
    at = 26
    (length,) = struct.unpack_from(">I", data, at)  # of the colour mode's data
    at += 4 + length
    (length,) = struct.unpack_from(">I", data, at)
    found = _resources(bytes(data[at + 4 : at + 4 + length]))
    return Embedded(found.get(IRB_XMP), found.get(IRB_IPTC))


def _resources(block: bytes) -> dict[int, bytes]:
    """Return the contents of image resource blocks by their number; damage ends the list."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 12 <= len(block) and block[at : at + 4] == b"8BIM":
        (number,) = struct.unpack_from(">H", block, at + 4)
        name_bytes = 1 + block[at + 6]
        at += 6 + name_bytes + name_bytes % 2
        if at + 4 > len(block):
            break
        (length,) = struct.unpack_from(">I", block, at)
        if at + 4 + length > len(block):
            break
        found.setdefault(number, block[at + 4 : at + 4 + length])
        at += 4 + length + length % 2
    return found
