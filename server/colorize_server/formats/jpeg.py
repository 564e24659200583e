"""JPEG files: every kind that a decoder here knows, and whether one that ends early lacks more than its end marker."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from ..picture.photograph import Photograph
from .limits import PictureLimits, unsupported
from .meaning import as_channels, full_range, photograph_of, upright
from .with_pillow import decode_with_pillow, metadata_of, opened_by_pillow, orientation_of

END: Final = b"\xff\xd9"
_SCAN: Final = 0xDA
_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""Markers of frames (ITU-T T.81, table B.1; T.87 for JPEG-LS); between them are those of tables."""
_BASELINE, _PROGRESSIVE, _JPEG_LS = 0xC0, 0xC2, 0xF7
_HIERARCHICAL: Final = (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
_PADDINGS: Final = (b"\x00" * 64, b"\x55" * 64)
"""What a decoder may read in place of what is missing."""


class Frame(NamedTuple):
    """What the head of a JPEG says of its picture.

    Attributes:
        kind: its marker's second byte.
        bits: of a sample.
        height: in pixels.
        width: in pixels.
        components: 1 grey, 3 colours, 4 inks.
        at: where the marker stands.
        scan_at: where the first scan begins, or the data ends.
    """

    kind: int
    bits: int
    height: int
    width: int
    components: int
    at: int
    scan_at: int


def read_frame(data: bytes | memoryview) -> Frame:
    """Return what the head of a JPEG says.

    Raises:
        PictureError: it says nothing of a picture.
    """
    frame = None
    for marker, at in _markers(data):
        if marker in _FRAMES and frame is None and at + 10 <= len(data):
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            frame = Frame(marker, bits, height, width, components, at, len(data))
        if marker == _SCAN and frame is not None:
            return frame._replace(scan_at=at)
    raise PictureError("The JPEG picture is cut off.", "Copy it again from its source.")


def _markers(data: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """Yield markers and where they stand, up to the first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF or data[at + 1] == 0xFF:  # padding, or bytes that no decoder minds
            at += 1
            continue
        yield data[at + 1], at
        if data[at + 1] == _SCAN:
            return
        at += 2 + (0 if 0xD0 <= data[at + 1] <= 0xD8 or data[at + 1] <= 1 else _length(data, at))


def _length(data: bytes | memoryview, at: int) -> int:
    length: int
    (length,) = struct.unpack_from(">H", data, at + 2)
    return max(length, 2)


def has_end(data: bytes, frame: Frame) -> bool:
    """Return whether the end marker follows the first scan (within scans, it can stand for nothing else)."""
    return data.find(END, frame.scan_at) >= 0


def lacks_only_its_end(data: bytes, frame: Frame, decode: Callable[[bytes], NDArray[Any]]) -> bool:
    """Return whether a JPEG without an end marker is whole otherwise.

    It is if no pixel depends on what follows its last byte.  A progressive one says too little: its next scan may be
    missing.
    """
    if frame.kind == _PROGRESSIVE:
        return False
    first, second = (decode(_without_filling(data) + padding + END) for padding in _PADDINGS)
    return bool(np.array_equal(first, second))


def _without_filling(data: bytes) -> bytes:
    """Return a JPEG that ends early without half a marker, and without the zeros that recovery puts for what is lost.

    Scans end in ones (T.81, F.1.2.3); a single zero may stuff such a byte.
    """
    without_zeros = data.rstrip(b"\0")
    return (data if len(data) - len(without_zeros) <= 1 else without_zeros).rstrip(b"\xff")


def decode_jpeg(data: bytes, limits: PictureLimits) -> Photograph:
    """Decode a JPEG, JPEG-LS or MPO file.

    Raises:
        PictureError: it is cut off, too large, or of a kind that nothing here reads.
    """
    frame = read_frame(data)
    limits.check(frame.width, max(frame.height, 1))
    if frame.kind in _HIERARCHICAL or (frame.components not in (1, 3) and (frame.bits != 8 or frame.kind == _JPEG_LS)):
        raise unsupported(
            "The JPEG picture is of a rare kind.", "Save it as a TIFF or PNG in the program that made it."
        )
    remarks: tuple[str, ...] = ()
    if frame.kind != _JPEG_LS and not has_end(data, frame):
        if not lacks_only_its_end(data, frame, imagecodecs.jpeg8_decode):
            raise PictureError("The JPEG picture is cut off.", "Copy it again from its source.")
        data = _without_filling(data) + END
        remarks = ("The JPEG lacks its end marker; the picture is whole.",)
    if frame.bits == 8 and frame.kind != _JPEG_LS:
        photograph = decode_with_pillow(data, "JPEG", limits)
    else:
        photograph = _decode_rare(data, frame)
    return replace(photograph, remarks=photograph.remarks + remarks)


def _decode_rare(data: bytes, frame: Frame) -> Photograph:
    """Decode JPEG-LS, and JPEG of more than 8 bits, which Pillow does not know."""
    decode = imagecodecs.jpegls_decode if frame.kind == _JPEG_LS else imagecodecs.jpeg8_decode
    pixels = full_range(as_channels(np.asarray(decode(data))), frame.bits)
    # What stands in the head besides, Pillow reads from one that it knows.
    head = bytearray(data[: frame.scan_at + 2 + _length(data, frame.scan_at)])
    head[frame.at + 1], head[frame.at + 4] = _BASELINE, 8
    with opened_by_pillow(bytes(head), "JPEG") as image:
        photograph = photograph_of(pixels, image.info.get("icc_profile"), metadata_of(image))
        return upright(photograph, orientation_of(image))
