"""Layered files for Photoshop, GIMP, Krita and Affinity: PSD, and PSB for large pictures.

After Adobe Photoshop File Formats Specification (2019).

Written by ourselves: the libraries that write PSD lose the names of layers, the merged picture or the memory.  Channels
of layers are packed as Photoshop packs 16 bits (ZIP with prediction): readers disagree about RLE there.  The merged
picture is raw, and the right one, because simple viewers show nothing else.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, BinaryIO, Final, Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from ..picture.photograph import Metadata
from .embedded import IRB_IPTC, IRB_XMP, image_resource

MAX_PSD_SIDE: Final = 30_000
MAX_PSD_BYTES: Final = 2_000_000_000
"""Larger pictures, and larger files, are PSB."""
RED, GREEN, BLUE, ALPHA = 0, 1, 2, -1
"""Numbers of channels in a layer."""

_RAW, _ZIP_WITH_PREDICTION = 0, 3
_ZIP_LEVEL: Final = 1
"""Of libdeflate: the noise of a scan packs no better at higher levels."""
_STRIP_PIXELS: Final = 1 << 20
_LEGACY_NAME_BYTES: Final = 31
"""Names in MacRoman end here; the whole name follows in Unicode."""
_RESOLUTION, _PROFILE, _VERSION, _EXIF = 1005, 1039, 1057, 1058
_VISIBLE, _HIDDEN = 0, 2
_PER_INCH: Final = 1


class Blend(Enum):
    """Blend modes, by their keys."""

    NORMAL = b"norm"
    COLOR = b"colr"
    PASS_THROUGH = b"pass"


class Section(Enum):
    """What a layer record stands for, by the number in its section divider."""

    PIXELS = 0
    GROUP = 1
    GROUP_END = 3


@dataclass(frozen=True)
class Layer:
    """One layer record.

    Attributes:
        name: any Unicode text.
        planes: channel (RED, GREEN, BLUE, ALPHA) to (height, width) uint8 or uint16, views allowed; 8 bits are widened
            in a document of 16.  None of them: the layer is empty.  Without alpha the layer is opaque.
        blend: its mode.
        section: pixels, or the beginning or end of a group.
        is_hidden: it is there and not shown.
        is_clipped: it is seen where the layer below is.
    """

    name: str
    planes: Mapping[int, NDArray[np.uint8] | NDArray[np.uint16]] = field(default_factory=dict)
    blend: Blend = Blend.NORMAL
    section: Section = Section.PIXELS
    is_hidden: bool = False
    is_clipped: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of its record, in the order of the file."""
        return tuple(sorted(self.planes)) if self.planes else (ALPHA, RED, GREEN, BLUE)


def group(name: str, layers: Sequence[Layer]) -> list[Layer]:
    """Return the records of a pass-through group of layers, bottom up."""
    end = Layer("</Layer group>", section=Section.GROUP_END)
    return [end, *layers, Layer(name, blend=Blend.PASS_THROUGH, section=Section.GROUP)]


class Rows(Protocol):
    """Pixels that are had by rows: an array, or what is computed when it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of uint8 or uint16."""

    def __getitem__(self, rows: slice, /) -> Any:
        """Return (rows, width, channels)."""


@dataclass(frozen=True)
class Document:
    """A document of RGB.

    Attributes:
        merged: (height, width, 3 or 4) uint8 or uint16, straight alpha: what is seen; its depth is the document's.
        layers: records bottom up.
        icc: profile of all pixels.
        metadata: resolution, EXIF, XMP and IPTC-IIM.
    """

    merged: Rows
    layers: Sequence[Layer]
    icc: bytes
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def needs_psb(self) -> bool:
        """Whether it is, or may become, too large for a PSD."""
        height, width = self.merged.shape[:2]
        planes = self.merged.shape[2] + sum(len(layer.planes) for layer in self.layers)
        return max(height, width) > MAX_PSD_SIDE or planes * height * width * self.merged.dtype.itemsize > MAX_PSD_BYTES


def write_psd(file: BinaryIO, document: Document, *, psb: bool | None = None) -> None:
    """Write a document, a channel at a time.

    Args:
        file: can seek; begins at 0.
        document: what is written.
        psb: whether to write the large kind; None where it is needed.
    """
    _Writer(file, document, document.needs_psb if psb is None else psb).write()


class _Writer:
    def __init__(self, file: BinaryIO, document: Document, is_psb: bool) -> None:
        self._file = file
        self._document = document
        self._is_psb = is_psb
        self._long = ">Q" if is_psb else ">I"
        self._height, self._width, self._n_channels = document.merged.shape
        self._bits = 8 * document.merged.dtype.itemsize

    def write(self) -> None:
        version = 2 if self._is_psb else 1
        shape = (self._n_channels, self._height, self._width, self._bits)
        rgb = 3
        self._put(b"8BPS" + struct.pack(">H6xHIIHH", version, *shape, rgb) + struct.pack(">I", 0))
        resources = b"".join(_resources(self._document))
        self._put(struct.pack(">I", len(resources)) + resources)
        section = self._begin_length(self._long)
        if self._bits == 8:
            self._layer_info()
            self._put(struct.pack(">I", 0))  # no global layer mask
        else:  # layers of 16 bits stand in a block of their own, and their plain place is empty
            self._put(struct.pack(self._long, 0) + struct.pack(">I", 0))
            if self._n_channels == 4:
                self._put(b"8BIMMt16" + struct.pack(self._long, 0))
            self._put(b"8BIMLr16")
            self._layer_info()
        self._end_length(section, self._long)
        self._merged()

    def _put(self, data: bytes) -> None:
        self._file.write(data)

    def _begin_length(self, kind: str) -> int:
        at = self._file.tell()
        self._put(struct.pack(kind, 0))
        return at

    def _end_length(self, at: int, kind: str) -> None:
        end = self._file.tell()
        self._patch(at, kind, end - at - struct.calcsize(kind))

    def _patch(self, at: int, kind: str, value: int) -> None:
        end = self._file.tell()
        self._file.seek(at)
        self._put(struct.pack(kind, value))
        self._file.seek(end)

    def _layer_info(self) -> None:
        """Write the records of all layers, then the channels of all layers."""
        info = self._begin_length(self._long)
        layers = self._document.layers
        # A negative number says that the fourth channel of the merged picture is its transparency.
        self._put(struct.pack(">h", -len(layers) if self._n_channels == 4 else len(layers)))
        lengths_at = [self._record(layer, number) for number, layer in enumerate(layers, 1)]
        for layer, at in zip(layers, lengths_at, strict=True):
            self._channels(layer, at)
        self._put(bytes(-(self._file.tell() - info - struct.calcsize(self._long)) % 4))
        self._end_length(info, self._long)

    def _record(self, layer: Layer, number: int) -> list[int]:
        """Write a layer's record; return where the lengths of its channels stand."""
        box = (0, 0, self._height, self._width) if layer.planes else (0, 0, 0, 0)
        self._put(struct.pack(">4IH", *box, len(layer.channels)))
        lengths_at = []
        for channel in layer.channels:
            self._put(struct.pack(">h", channel))
            lengths_at.append(self._file.tell())
            self._put(struct.pack(self._long, 0))
        extra = struct.pack(">II", 0, 0)  # no mask, no blending ranges
        extra += _legacy_name(layer.name)
        name = layer.name.encode("utf-16-be")
        extra += _block(b"luni", struct.pack(">I", len(name) // 2) + name)
        extra += _block(b"lyid", struct.pack(">I", number))
        if layer.section is Section.GROUP:
            extra += _block(b"lsct", struct.pack(">I", 1) + b"8BIM" + layer.blend.value)
        elif layer.section is Section.GROUP_END:
            extra += _block(b"lsct", struct.pack(">I", 3))
        flags = bytes([255, layer.is_clipped, _HIDDEN if layer.is_hidden else _VISIBLE, 0])
        self._put(b"8BIM" + layer.blend.value + flags + struct.pack(">I", len(extra)) + extra)
        return lengths_at

    def _channels(self, layer: Layer, lengths_at: Sequence[int]) -> None:
        seen: dict[int, bytes] = {}  # grey is one plane under three numbers
        for channel, at in zip(layer.channels, lengths_at, strict=True):
            began = self._file.tell()
            if layer.planes:
                plane = layer.planes[channel]
                key = plane.__array_interface__["data"][0]
                if key not in seen:
                    seen.clear()  # before the next is packed: a channel of 100 megapixels takes 200 MB
                    seen[key] = self._packed(plane)
                self._put(struct.pack(">H", _ZIP_WITH_PREDICTION))
                self._put(seen[key])
            else:
                self._put(struct.pack(">H", _RAW))
            self._patch(at, self._long, self._file.tell() - began)

    def _packed(self, plane: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
        """Return differences along each row, which wrap, packed."""
        differences = np.empty((self._height, self._width), f">u{self._bits // 8}")
        for rows in self._strips():
            strip = self._in_depth(plane[rows])
            differences[rows, 0] = strip[:, 0]
            differences[rows, 1:] = strip[:, 1:] - strip[:, :-1]
        data: Any = differences.data  # any buffer will do
        return bytes(imagecodecs.deflate_encode(data, level=_ZIP_LEVEL))

    def _in_depth(self, strip: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        return strip.astype(np.uint16) * np.uint16(257) if self._bits == 16 and strip.dtype == np.uint8 else strip

    def _strips(self) -> Iterator[slice]:
        rows = max(1, _STRIP_PIXELS // self._width)
        return (slice(start, start + rows) for start in range(0, self._height, rows))

    def _merged(self) -> None:
        """Write the merged picture: planes one after the other, from rows that are had once."""
        self._put(struct.pack(">H", _RAW))
        began, sample_bytes = self._file.tell(), self._bits // 8
        for rows in self._strips():
            strip = self._document.merged[rows]
            for channel in range(self._n_channels):
                plane = strip[..., channel]
                if self._n_channels == 4 and channel < 3:
                    plane = _on_white(plane, strip[..., 3])
                self._file.seek(began + (channel * self._height + rows.start) * self._width * sample_bytes)
                self._file.write(np.ascontiguousarray(plane, f">u{sample_bytes}").data)


def _on_white(colour: NDArray[np.uint8 | np.uint16], alpha: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint32]:
    """Return straight colour as the merged picture of a PSD has it: blended with white by its transparency."""
    top = np.uint32(np.iinfo(colour.dtype).max)
    dark = (top - colour) * alpha.astype(np.uint32)
    return top - (dark + top // 2) // top


def _resources(document: Document) -> Iterator[bytes]:
    metadata = document.metadata
    if metadata.dpi is not None:
        x, y = (min(round(dpi * 65536), 0xFFFFFFFF) for dpi in metadata.dpi)
        data = struct.pack(">IHHIHH", x, _PER_INCH, _PER_INCH, y, _PER_INCH, _PER_INCH)
        yield image_resource(_RESOLUTION, data)
    if metadata.iptc is not None:
        yield image_resource(IRB_IPTC, metadata.iptc)
    yield image_resource(_PROFILE, document.icc)
    writer = "colorize-server".encode("utf-16-be")
    text = struct.pack(">I", len(writer) // 2) + writer
    # Version 1, the merged picture is real, who writes and who reads, version 1 of the file.
    yield image_resource(_VERSION, struct.pack(">IB", 1, 1) + text + text + struct.pack(">I", 1))
    if metadata.exif is not None:
        yield image_resource(_EXIF, metadata.exif)
    if metadata.xmp is not None:
        yield image_resource(IRB_XMP, metadata.xmp)


def _legacy_name(name: str) -> bytes:
    data = name.encode("mac_roman", "replace")[:_LEGACY_NAME_BYTES]
    data = bytes([len(data)]) + data
    return data + bytes(-len(data) % 4)


def _block(key: bytes, data: bytes) -> bytes:
    data += bytes(-len(data) % 4)
    return b"8BIM" + key + struct.pack(">I", len(data)) + data
