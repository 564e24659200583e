"""What a file says of its colours, in words."""

from dataclasses import dataclass

from .packet import Packet, UnreadablePacketError
from .record import SOFTWARE, SOURCE_TYPE, SOURCE_TYPES
from .signature import Signature


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        lines: in words.
        is_told: the file says that its colours are inferred, and no signature contradicts it.
    """

    lines: tuple[str, ...]
    is_told: bool


def verdict(xmp: bytes | None, signature: Signature | None) -> Verdict:
    """Read a record back.

    Args:
        xmp: the file's packet, or None.
        signature: what its signature says, or None.
    """
    lines: list[str] = []
    is_told = False
    if xmp is None:
        lines.append("It says nothing of where its colours came from.")
    else:
        try:
            is_told = _read(Packet.read(xmp), lines)
        except UnreadablePacketError as error:
            lines.append(f"Its XMP record cannot be read: {error}.")
    lines.append("It is not signed." if signature is None else signature.words)
    return Verdict(tuple(lines), is_told and (signature is None or signature.is_valid is not False))


def _read(packet: Packet, lines: list[str]) -> bool:
    source_type = packet.text("Iptc4xmpExt:DigitalSourceType")
    if source_type == SOURCE_TYPE:
        lines.append("It says that parts of it were made by a trained model.")
    elif source_type:
        lines.append(f"It calls itself {source_type.removeprefix(SOURCE_TYPES)}.")
    else:
        lines.append("It says nothing of where its colours came from.")
    parent = packet.fields("xmpMM:DerivedFrom")
    if made_from := parent.get("filePath") or parent.get("documentID"):
        lines.append(f"Made from {made_from}.")
    events = packet.items("xmpMM:History")
    for event in events:
        agent = event.get("softwareAgent", "unknown software")
        what = event.get("parameters") or event.get("action", "changed")
        lines.append(f"{event.get('when', 'At an unknown time')}, {agent}: {what}")
    return source_type == SOURCE_TYPE and any(event.get("softwareAgent", "").startswith(SOFTWARE) for event in events)
