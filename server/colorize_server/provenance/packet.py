"""XMP packets (ISO 16684-1), read and changed without a loss: languages, unknown namespaces and prefixes stay.

By lxml and not by the standard library's ElementTree, which gives unknown prefixes new names and keeps its table of
prefixes for the whole process, nor by its minidom, which loses line breaks in attributes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Self

from lxml import etree

MAX_BYTES: Final = 2 << 20
"""Photoshop's longest lists of ancestors stay below this; whatever is longer is not read."""
MAX_ELEMENTS: Final = 50_000

NAMESPACES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}
"""Prefixes by which this package names properties; in a file they may have others."""
_HEAD: Final = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
_TAIL: Final = b'\n<?xpacket end="w"?>'
_DECLARATION: Final = re.compile(r"<\?xml\s[^>]*\?>")
_BYTE_ORDER_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


class UnreadablePacketError(ValueError):
    """The packet is damaged, too long, or holds what no XMP may hold (a DOCTYPE); the text says which."""


class Packet:
    """An XMP packet; properties are named as `NAMESPACES` has them, such as ``dc:format``."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        found = root if root.tag == _tag("rdf:RDF") else next(root.iter(_tag("rdf:RDF")), None)
        if found is None:
            raise UnreadablePacketError("it holds no RDF")
        self._rdf = found

    @classmethod
    def empty(cls) -> Self:
        """Return a packet without properties."""
        root = etree.Element(_tag("x:xmpmeta"), nsmap={"x": NAMESPACES["x"]})
        etree.SubElement(root, _tag("rdf:RDF"), nsmap={"rdf": NAMESPACES["rdf"]})
        return cls(root)

    @classmethod
    def read(cls, data: bytes | memoryview) -> Self:
        """Read a packet in UTF-8, UTF-16 or UTF-32.

        Raises:
            UnreadablePacketError: it is damaged, too long, or has a DOCTYPE (by which entities come).
        """
        if len(data) > MAX_BYTES:
            raise UnreadablePacketError(f"it has more than {MAX_BYTES >> 20} MB")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(_DECLARATION.sub("", _text(bytes(data))).encode(), parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise UnreadablePacketError("it is no XML") from error
        if root.getroottree().docinfo.doctype:
            raise UnreadablePacketError("it has a DOCTYPE")
        if sum(1 for _ in root.iter()) > MAX_ELEMENTS:
            raise UnreadablePacketError(f"it has more than {MAX_ELEMENTS} elements")
        return cls(root)

    def to_bytes(self) -> bytes:
        """Return the packet in UTF-8, with the processing instructions around it."""
        root = self._root
        if root is self._rdf:
            root = etree.Element(_tag("x:xmpmeta"), nsmap={"x": NAMESPACES["x"]})
            root.append(self._rdf)
        return _HEAD + etree.tostring(root, encoding="utf-8", xml_declaration=False, with_tail=False) + _TAIL

    def text(self, name: str) -> str | None:
        """Return a simple property, or None if there is none."""
        for description in self._descriptions():
            if (value := description.get(_tag(name))) is not None:
                return str(value)
            element = description.find(_tag(name))
            if element is not None and len(element) == 0:
                return element.get(_tag("rdf:resource")) or element.text or ""
        return None

    def fields(self, name: str) -> dict[str, str]:
        """Return the simple fields of a structure, named without prefix; empty if there is none."""
        element = self._find(name)
        return {} if element is None else _fields(element)

    def remove(self, name: str) -> None:
        """Remove a property; nothing happens if there is none."""
        for description in self._descriptions():
            description.attrib.pop(_tag(name), None)
            for element in description.findall(_tag(name)):
                description.remove(element)

    def put(self, name: str, value: str) -> None:
        """Set a simple property."""
        self.remove(name)
        self._add(name).text = value

    def put_fields(self, name: str, fields: Mapping[str, str]) -> None:
        """Set a structure of simple fields, which are named with their prefix."""
        self.remove(name)
        _fill(self._add(name), fields)

    def append(self, name: str, fields: Mapping[str, str]) -> None:
        """Append a structure to an ordered list of such, which is made if there is none."""
        element = self._find(name)
        if element is None:
            element = self._add(name)
        sequence = element.find(_tag("rdf:Seq"))
        if sequence is None:
            sequence = _sub(element, "rdf:Seq")
        _fill(_sub(sequence, "rdf:li"), fields)

    def items(self, name: str) -> list[dict[str, str]]:
        """Return an ordered list of structures, each as `fields` returns it."""
        element = self._find(name)
        return [] if element is None else [_fields(item) for item in element.iterfind(f"{_tag('rdf:Seq')}/{{*}}li")]

    def _descriptions(self) -> Iterator[etree._Element]:
        return self._rdf.iterchildren(_tag("rdf:Description"))

    def _find(self, name: str) -> etree._Element | None:
        return self._rdf.find(f"{_tag('rdf:Description')}/{_tag(name)}")

    def _add(self, name: str) -> etree._Element:
        description = next(self._descriptions(), None)
        if description is None:
            description = _sub(self._rdf, "rdf:Description")
            description.set(_tag("rdf:about"), "")
        return _sub(description, name)


def _text(data: bytes) -> str:
    """Decode a packet, without the padding that some writers leave around it."""
    data = data.removesuffix(b"\0") if len(data) % 2 else data
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding).strip("\0 \t\r\n\ufeff")


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def _sub(parent: etree._Element, name: str) -> etree._Element:
    prefix = name.partition(":")[0]
    known = NAMESPACES[prefix] in parent.nsmap.values()
    return etree.SubElement(parent, _tag(name), nsmap=None if known else {prefix: NAMESPACES[prefix]})


def _fill(element: etree._Element, fields: Mapping[str, str]) -> None:
    element.set(_tag("rdf:parseType"), "Resource")
    for name, value in fields.items():
        _sub(element, name).text = value


def _fields(element: etree._Element) -> dict[str, str]:
    """Return the simple fields of a structure in any of RDF's three spellings."""
    inner = element.find(_tag("rdf:Description"))
    holder = element if inner is None else inner
    values = {etree.QName(name).localname: str(value) for name, value in holder.attrib.items()}
    values |= {etree.QName(child).localname: child.text or "" for child in holder if isinstance(child.tag, str)}
    return values
