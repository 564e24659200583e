"""The record of a run in the image's metadata, so that an exported file can say that its colours are inferred.

GIMP's metadata are changed in the form that GIMP itself keeps them in: the bindings that read XMP as such (GExiv2) are
not there in every installation.  Main thread only.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape, unescape

from gi.repository import Gimp

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XMP_MM = "{http://ns.adobe.com/xap/1.0/mm/}"
EVENT = "{http://ns.adobe.com/xap/1.0/sType/ResourceEvent#}"
SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
SOURCE_TYPE_TAG = re.compile(r'[ \t]*<tag name="Xmp\.iptcExt\.DigitalSourceType">([^<]*)</tag>\n?')
HISTORY_TAG = re.compile(r'<tag name="Xmp\.xmpMM\.History\[(\d+)\]')
END = "</metadata>"
EMPTY = f"<?xml version='1.0' encoding='UTF-8'?>\n<metadata>\n{END}\n"


def add_record(image: Gimp.Image, packet: bytes) -> None:
    """Add a record to what an image says of itself; nothing that it says already is changed but its source type.

    Args:
        image: the image.
        packet: the server's answer: an XMP packet that holds the record and nothing else.

    Raises:
        ValueError: the packet cannot be read, or the image's own metadata are of an unknown form.
    """
    source_type, event = _read(packet)
    present = image.get_metadata()
    # As text, because GIMP writes characters there that XML does not know (IPTC's character set begins with ESC).
    own = present.serialize() if present else EMPTY
    head, end, tail = own.rpartition(END)
    if not end:
        raise ValueError("the image's metadata are of an unknown form")
    before = SOURCE_TYPE_TAG.search(head)
    if before and unescape(before[1]) != source_type:
        event["parameters"] = f"{event.get('parameters', '')} Digital source type before: {unescape(before[1])}."
    number = 1 + max(map(int, HISTORY_TAG.findall(head)), default=0)
    head = SOURCE_TYPE_TAG.sub("", head) + _tag("iptcExt.DigitalSourceType", source_type)
    head += "".join(_tag(f"xmpMM.History[{number}]/stEvt:{name}", text) for name, text in event.items())
    image.set_metadata(Gimp.Metadata.deserialize(head + end + tail))


def _read(packet: bytes) -> tuple[str, dict[str, str]]:
    """Return the source type and the fields of the entry in the history."""
    try:
        said = ElementTree.fromstring(packet)  # noqa: S314 - from our own server, which has proved that it is
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    source_type = said.findtext(f".//{SOURCE_TYPE}")
    event = said.find(f".//{XMP_MM}History/{RDF}Seq/{RDF}li")
    if source_type is None or event is None:
        raise ValueError("the packet holds no record")
    return source_type, {field.tag.removeprefix(EVENT): field.text or "" for field in event}


def _tag(name: str, text: str) -> str:
    return f'  <tag name="Xmp.{name}">{escape(text)}</tag>\n'
