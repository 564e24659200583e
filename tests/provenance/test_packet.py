"""XMP packets: nothing of an archive's is lost, and nothing harmful is read."""

import pytest
from colorize_server.provenance.packet import MAX_BYTES, MAX_ELEMENTS, Packet, UnreadablePacketError
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from museum import MUSEUM

SHELF = "http://example.org/shelf/1.0/"


def test_what_is_unknown_stays_as_it_was():
    packet = Packet.read(MUSEUM)
    packet.put("dc:format", "image/png")
    written = packet.to_bytes()
    assert b"shelf:mark" in written
    assert b"<shelf:room>Keller</shelf:room>" in written
    root = etree.fromstring(written)
    (description,) = root.iter("{*}Description")
    assert description.get(f"{{{SHELF}}}mark") == "MS 17/4\nsecond line"
    languages = {li.get("{http://www.w3.org/XML/1998/namespace}lang"): li.text for li in root.iter("{*}li")}
    assert languages["ja"] == "少女、1870年頃"


def test_properties_are_found_in_both_spellings_and_under_any_prefix():
    packet = Packet.read(MUSEUM)
    assert packet.text("xmpMM:DocumentID") == "xmp.did:scan"
    assert str(packet.text("Iptc4xmpExt:DigitalSourceType")).endswith("negativeFilm")
    assert packet.items("xmpMM:History")[0]["softwareAgent"] == "ScanTool"
    packet.put("xmpMM:DocumentID", "new")
    assert Packet.read(packet.to_bytes()).text("xmpMM:DocumentID") == "new"
    assert packet.to_bytes().count(b"DocumentID=") == 1  # OriginalDocumentID


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32"])
def test_every_encoding_of_xmp_is_read(encoding: str):
    packet = Packet.read(MUSEUM.decode().encode(encoding))
    assert "少女" in packet.to_bytes().decode()


def test_padding_and_zero_bytes_are_passed_over():
    assert Packet.read(b"\n " + MUSEUM + b" \n" * 1000 + b"\0").text("xmpMM:DocumentID") == "xmp.did:scan"


def test_rdf_without_its_wrapper_gets_one():
    body = MUSEUM[MUSEUM.index(b"<rdf:RDF") : MUSEUM.index(b"</x:xmpmeta>")]
    packet = Packet.read(Packet.read(body).to_bytes())
    assert packet.text("xmpMM:DocumentID") == "xmp.did:scan"
    assert b"<x:xmpmeta" in packet.to_bytes()


LAUGHS = b"""<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description>&b;&c;</rdf:Description></rdf:RDF>"""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (LAUGHS, "DOCTYPE"),
        (LAUGHS.decode().encode("utf-16"), "DOCTYPE"),
        (b"", "no XML"),
        (MUSEUM[:400], "no XML"),
        (b"\xff\xfe\xff", "no XML"),
        (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "no RDF"),
        (MUSEUM + b" " * MAX_BYTES, "more than 2 MB"),
        (MUSEUM.replace(b"<rdf:Seq>", b"<rdf:Seq>" + b"<rdf:li/>" * MAX_ELEMENTS), "elements"),
        (b"<a>" * 100_000, "no XML"),
    ],
)
def test_what_may_not_be_read_is_refused_in_words(data: bytes, why: str):
    with pytest.raises(UnreadablePacketError, match=why):
        Packet.read(data)


@given(st.binary(max_size=200), st.integers(0, len(MUSEUM)), st.integers(0, 60))
def test_damage_is_refused_or_read_and_nothing_else(noise: bytes, at: int, gone: int):
    try:
        packet = Packet.read(MUSEUM[:at] + noise + MUSEUM[at + gone :])
    except UnreadablePacketError:
        return
    assert Packet.read(packet.to_bytes()).to_bytes() == packet.to_bytes()
