"""Layered files and records from the server."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from aiohttp import FormData
from colorize_server.formats.embedded import read_embedded
from colorize_server.provenance.packet import Packet
from colorize_server.provenance.record import SOURCE_TYPE
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import Rig, running
from PIL import Image
from psd_tools import PSDImage

PSD = "image/vnd.adobe.photoshop"


@pytest.fixture
async def daemon(tiny_model_path: Path) -> AsyncIterator[Rig]:
    """A daemon with the product's own worker."""
    async with running(child=CHILD_COMMAND, model=tiny_model_path) as rig:
        yield rig


def scan(mode: str = "L") -> bytes:
    grey = np.add.outer(np.arange(48), np.arange(64) * 3).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(stream, "PNG")
    return stream.getvalue()


async def test_a_layered_file_is_had_by_its_name(daemon: Rig) -> None:
    headers = {"Content-Type": "image/png", "Accept": PSD}
    reply = await daemon.ask("POST", "/v1/colorize?include=doubt", scan(), headers)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == PSD
    opened = PSDImage.open(io.BytesIO(reply.body))
    names = [layer.name for layer in opened.descendants()]
    assert names == ["Photograph", "Colour (inferred)", "Colour", "Touch-ups", "Where the model guesses"]
    embedded = read_embedded(reply.body)
    assert embedded.xmp is not None
    assert "output layers" in Packet.read(embedded.xmp).items("xmpMM:History")[0]["parameters"]


async def test_hints_become_a_layer(daemon: Rig) -> None:
    hints = Image.new("RGBA", (64, 48))
    hints.paste((220, 20, 20, 255), (0, 0, 32, 48))
    stream = io.BytesIO()
    hints.save(stream, "PNG")
    form = FormData()
    form.add_field("photo", io.BytesIO(scan()), content_type="image/png")
    form.add_field("hints", io.BytesIO(stream.getvalue()), content_type="image/png")
    reply = await daemon.ask("POST", "/v1/colorize", form, {"Accept": PSD})
    assert reply.status == 200, reply.body
    assert [layer.name for layer in PSDImage.open(io.BytesIO(reply.body)).descendants()][-1] == "Colour hints"


@pytest.mark.parametrize("query", ["output=layer", "host=gimp", "blend=multiply"])
async def test_what_makes_no_sense_with_layers_is_refused(daemon: Rig, query: str) -> None:
    reply = await daemon.ask("POST", f"/v1/colorize?{query}", scan(), {"Content-Type": "image/png", "Accept": PSD})
    assert reply.status == 400
    assert b"layered file" in reply.body


@pytest.mark.parametrize("accept", ["image/png", "image/tiff"])
async def test_every_encoded_answer_has_its_record(daemon: Rig, accept: str) -> None:
    headers = {"Content-Type": "image/png", "Accept": accept}
    reply = await daemon.ask("POST", "/v1/colorize?output=composite", scan(), headers)
    embedded = read_embedded(reply.body)
    assert embedded.xmp is not None
    assert Packet.read(embedded.xmp).text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE


XMP = {"Content-Type": "application/rdf+xml"}
OWN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:my="http://example.org/" my:shelf="12"/></rdf:RDF></x:xmpmeta>'
)


async def test_a_record_is_put_into_the_packet_of_a_document(daemon: Rig) -> None:
    path = "/v1/provenance?size=128&saturation=1.2&hints=painted"
    reply = await daemon.ask("POST", path, OWN, XMP)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == XMP["Content-Type"]
    assert b'my:shelf="12"' in reply.body
    packet = Packet.read(reply.body)
    assert packet.text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
    assert packet.text("dc:format") is None
    (event,) = packet.items("xmpMM:History")
    for words in ("Model tiny 1, sha256", "size 128", "saturation 1.2", "With painted hints."):
        assert words in event["parameters"]


@pytest.mark.parametrize("body", [b"", b"<damaged"])
async def test_a_document_without_a_packet_gets_one(daemon: Rig, body: bytes) -> None:
    reply = await daemon.ask("POST", "/v1/provenance", body, XMP)
    assert reply.status == 200
    assert Packet.read(reply.body).text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE


@pytest.mark.parametrize(
    ("query", "headers", "body", "status"),
    [
        ("", {"Content-Type": "text/plain"}, OWN, 415),
        ("", {**XMP, "Content-Encoding": "gzip"}, OWN, 415),
        ("?size=many", XMP, OWN, 400),
        ("?saturation=3", XMP, OWN, 400),
        ("?hints=rgba8", XMP, OWN, 400),
        ("?model=other", XMP, OWN, 400),
        ("", XMP, OWN + b" " * (2 << 20), 413),
    ],
)
async def test_other_records_are_refused(
    daemon: Rig, query: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    reply = await daemon.ask("POST", f"/v1/provenance{query}", body, headers)
    assert reply.status == status, reply.body
