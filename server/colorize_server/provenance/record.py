"""The record of a coloured picture, and how it joins what the scan says of itself."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ..media_types import JPEG
from .packet import Packet, UnreadablePacketError

MAX_JPEG_PACKET_BYTES: Final = 65_502
"""What the segment of a JPEG holds besides its length and the name of what it holds."""

SOFTWARE: Final = "colorize-server"
SOURCE_TYPES: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC's vocabulary of digital source types."""
SOURCE_TYPE: Final = SOURCE_TYPES + "compositeWithTrainedAlgorithmicMedia"
"""A photograph with parts that a trained model made up: "algorithmically enhanced" would be untrue of colours."""

COMPOSITE_SENTENCE: Final = (
    "The colours were inferred by a neural network: they are a guess, not a record of the scene. "
    "The lightness is the photograph's."
)
LAYER_SENTENCE: Final = (
    "A layer of colours that were inferred by a neural network: they are a guess, not a record of the scene. "
    "It is made to be laid over the photograph, whose lightness stays."
)

_NOT_OURS: Final = (
    *(f"tiff:{name}" for name in ("Orientation", "ImageWidth", "ImageLength", "BitsPerSample", "Compression")),
    *(f"tiff:{name}" for name in ("PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration")),
    *(f"exif:{name}" for name in ("PixelXDimension", "PixelYDimension", "ColorSpace")),
    *("photoshop:ColorMode", "photoshop:ICCProfile", "xmp:Thumbnails", "xmpNote:HasExtendedXMP", "dc:format"),
)
"""What was true of the scan's pixels or of its file."""


@dataclass(frozen=True, slots=True)
class Record:
    """How a picture was coloured.

    Attributes:
        version: of this software.
        model: name and version.
        model_sha256: of the model's file.
        settings: what was asked for, as it is written.
        with_hints: whether colours were painted.
        is_layer: whether it is a layer of colour alone.
        source: name of the photograph's file, without its folder; None where it is not known.
        time: when; None for now.
    """

    version: str
    model: str
    model_sha256: str
    settings: Mapping[str, str] = field(default_factory=dict)
    with_hints: bool = False
    is_layer: bool = False
    source: str | None = None
    time: datetime | None = None

    @property
    def agent(self) -> str:
        """Name and version of this software."""
        return f"{SOFTWARE} {self.version}"

    def sentences(self) -> str:
        """Return the record in words."""
        parts = [
            LAYER_SENTENCE if self.is_layer else COMPOSITE_SENTENCE,
            f"Model {self.model}, sha256 {self.model_sha256}.",
        ]
        if self.settings:
            parts.append("Settings: " + ", ".join(f"{name} {value}" for name, value in self.settings.items()) + ".")
        if self.with_hints:
            parts.append("With painted hints.")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Merged:
    """A packet for an output.

    Attributes:
        packet: XMP in UTF-8; None where there is nothing to say.
        remark: what the painter should know, one sentence; None for nothing.
    """

    packet: bytes | None
    remark: str | None = None


def merge(old: bytes | None, record: Record | None, media_type: str | None) -> Merged:
    """Return the XMP of an output: what the scan says of itself, and how it was coloured.

    Args:
        old: the scan's packet, or None.
        record: None writes none (the scan's own lives on nevertheless).
        media_type: of the output; None where it is not a file yet.
    """
    packet, remark = None, None
    if old:
        try:
            packet = Packet.read(old)
        except UnreadablePacketError as error:
            remark = f"The photograph's own XMP record was left out: {error}."
    if packet is None:
        if record is None:
            return Merged(None, remark)
        packet = Packet.empty()
    for name in _NOT_OURS:
        packet.remove(name)
    if media_type is not None:
        packet.put("dc:format", media_type)
    if record is not None:
        _add(packet, record)
    data = packet.to_bytes()
    if media_type == JPEG and len(data) > MAX_JPEG_PACKET_BYTES:
        left_out = "The photograph's own XMP record was left out: a JPEG holds none so long. Write a PNG or TIFF."
        return Merged(merge(None, record, media_type).packet, left_out)
    return Merged(data, remark)


def _add(packet: Packet, record: Record) -> None:
    when = (record.time or datetime.now(UTC)).isoformat(timespec="seconds")
    document, instance = f"xmp.did:{uuid.uuid4()}", f"xmp.iid:{uuid.uuid4()}"
    before = packet.text("Iptc4xmpExt:DigitalSourceType")
    parent = {
        "stRef:documentID": packet.text("xmpMM:DocumentID"),
        "stRef:instanceID": packet.text("xmpMM:InstanceID"),
        "stRef:originalDocumentID": packet.text("xmpMM:OriginalDocumentID"),
        "stRef:filePath": record.source,
    }
    origin = parent["stRef:originalDocumentID"] or parent["stRef:documentID"] or document
    packet.put("Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE)
    packet.put("xmp:ModifyDate", when)
    packet.put("xmp:MetadataDate", when)
    if not packet.text("xmp:CreatorTool"):
        packet.put("xmp:CreatorTool", record.agent)
    packet.put("xmpMM:DocumentID", document)
    packet.put("xmpMM:InstanceID", instance)
    packet.put("xmpMM:OriginalDocumentID", origin)
    if derived := {name: value for name, value in parent.items() if value}:
        packet.put_fields("xmpMM:DerivedFrom", derived)
    words = record.sentences()
    if before and before != SOURCE_TYPE:
        words += f" Digital source type before: {before}."
    packet.append(
        "xmpMM:History",
        {
            "stEvt:action": "edited",
            "stEvt:instanceID": instance,
            "stEvt:when": when,
            "stEvt:softwareAgent": record.agent,
            "stEvt:parameters": words,
            "stEvt:changed": "/",
        },
    )
