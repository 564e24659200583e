"""The record of a coloured picture, in every file that is written, read by others (Pillow, tifffile, ExifTool)."""

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from colorize_server.formats.embedded import read_embedded
from colorize_server.provenance.packet import Packet
from colorize_server.provenance.record import MAX_JPEG_PACKET_BYTES, SOURCE_TYPE, Record, merge
from museum import IPTC, MUSEUM, TITLE, museum_scan
from PIL import ExifTags, Image

RECORD = Record("9.9", "net 1.2", "ab" * 32, {"size": "256"}, True, False, "girl.tif", datetime(2026, 1, 2, tzinfo=UTC))
needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")
OUTPUTS = ("out.png", "out.tif", "out.jpg")


def merged(old: bytes | None, record: Record | None = RECORD, media_type: str = "image/png") -> Packet:
    packet = merge(old, record, media_type).packet
    assert packet is not None
    return Packet.read(packet)


def test_a_picture_without_a_record_gets_one():
    packet = merged(None)
    assert packet.text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
    assert packet.text("xmp:CreatorTool") == "colorize-server 9.9"
    assert packet.text("xmpMM:OriginalDocumentID") == packet.text("xmpMM:DocumentID")
    assert packet.fields("xmpMM:DerivedFrom")["filePath"] == "girl.tif"
    (event,) = packet.items("xmpMM:History")
    assert event["when"] == "2026-01-02T00:00:00+00:00"
    assert event["instanceID"] == packet.text("xmpMM:InstanceID")
    for words in ("a guess", "lightness is the photograph's", "net 1.2", "ab" * 32, "size 256", "painted hints"):
        assert words in event["parameters"]


def test_the_scan_is_the_parent_and_its_history_goes_on():
    packet = merged(MUSEUM)
    parent = packet.fields("xmpMM:DerivedFrom")
    assert (parent["documentID"], parent["instanceID"]) == ("xmp.did:scan", "xmp.iid:scan-2")
    assert packet.text("xmpMM:OriginalDocumentID") == "xmp.did:first"
    assert packet.text("xmpMM:DocumentID") not in ("xmp.did:scan", "xmp.did:first")
    first, second = packet.items("xmpMM:History")
    assert first["softwareAgent"] == "ScanTool"
    assert "negativeFilm" in second["parameters"]
    assert packet.text("tiff:Orientation") is None


def test_a_picture_that_is_coloured_again_has_two_entries():
    again = merged(merge(None, RECORD, "image/png").packet)
    assert len(again.items("xmpMM:History")) == 2
    assert "before" not in again.items("xmpMM:History")[1]["parameters"]


def test_without_a_record_the_scans_own_lives_on():
    packet = merged(MUSEUM, None)
    assert packet.text("xmpMM:DocumentID") == "xmp.did:scan"
    assert str(packet.text("Iptc4xmpExt:DigitalSourceType")).endswith("negativeFilm")
    assert packet.text("tiff:Orientation") is None
    assert merge(None, None, "image/png").packet is None


def test_damaged_xmp_becomes_a_new_record_and_a_remark():
    result = merge(MUSEUM[:300], RECORD, "image/png")
    assert result.remark == "The photograph's own XMP record was left out: it is no XML."
    assert result.packet is not None
    assert Packet.read(result.packet).text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE


def test_a_record_too_long_for_a_jpeg_is_left_out_with_a_remark():
    long = MUSEUM.replace(b"Keller", b"K" * MAX_JPEG_PACKET_BYTES)
    result = merge(long, RECORD, "image/jpeg")
    assert "too long" not in str(result.packet)
    assert "JPEG" in str(result.remark)
    assert len(result.packet or b"") < 10_000
    assert merge(long, RECORD, "image/png").remark is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_what_the_scan_says_lives_on_in_every_output(
    run: Callable[..., int], tmp_path: Path, kind: str, output: str
) -> None:
    scan, target = tmp_path / f"scan.{kind.lower()}", tmp_path / output
    scan.write_bytes(museum_scan(kind))
    assert run(scan, "-o", target) == 0
    embedded = read_embedded(target.read_bytes())
    assert embedded.xmp is not None
    assert Packet.read(embedded.xmp).text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
    for words in ("Mädchen, um 1870", "少女、1870年頃", "shelf:mark", "ScanTool"):
        assert words.encode() in embedded.xmp
    if kind in ("JPEG", "TIFF"):
        assert embedded.iptc == IPTC
    with Image.open(target) as image:
        image.load()
        xmp = image.info.get("xmp") or image.tag_v2[700]
        assert xmp == embedded.xmp
        exif = image.getexif()
        assert exif[ExifTags.Base.ImageDescription] == "archive's own"
        assert exif[ExifTags.Base.Software] == "ScanTool 3"
        assert exif[ExifTags.Base.DocumentName] == "Box 4"
        assert exif[ExifTags.Base.PageName] == "Recto"
        title = exif[ExifTags.Base.XPTitle]
        assert bytes(title) == TITLE
    if output == "out.tif":
        with tifffile.TiffFile(target) as tiff:
            assert bytes(tiff.pages[0].tags[700].value) == embedded.xmp


@pytest.mark.parametrize("order", ["little", "big"])
def test_iptc_that_a_tiff_holds_as_numbers_is_read(order: str) -> None:
    padded = IPTC + bytes(-len(IPTC) % 4)
    numbers = [int.from_bytes(padded[at : at + 4], order) for at in range(0, len(padded), 4)]  # type: ignore[arg-type]
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        np.zeros((8, 8), np.uint8),
        byteorder="<",
        extratags=[(33723, 4, len(numbers), numbers, True)],
        metadata=None,
    )
    assert read_embedded(stream.getvalue()).iptc == IPTC


def test_no_provenance_only_by_name(run: Callable[..., int], tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(museum_scan("PNG", mode="L"))
    Image.new("L", (40, 30), 90).save(tmp_path / "bare.png")
    assert run(scan, "-o", tmp_path / "a.png", "--no-provenance") == 0
    assert run(tmp_path / "bare.png", "-o", tmp_path / "b.png", "--no-provenance") == 0
    assert SOURCE_TYPE.encode() not in (tmp_path / "a.png").read_bytes()
    assert "少女".encode() in (tmp_path / "a.png").read_bytes()
    assert read_embedded((tmp_path / "b.png").read_bytes()).xmp is None


def test_the_summary_says_that_a_record_was_damaged(run: Callable[..., int], tmp_path: Path, capsys: Any) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(museum_scan("JPEG", xmp=b'<!DOCTYPE x [<!ENTITY a "ha">]>' + MUSEUM))
    assert run(scan) == 0
    assert "own XMP record was left out: it has a DOCTYPE" in capsys.readouterr().err


def read_by_exiftool(path: Path) -> dict[str, Any]:
    command = ["exiftool", "-json", "-G1", "-struct", "-a", "-validate", "-warning", "-error", "-all", str(path)]
    (said,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return said


def warnings(said: dict[str, Any]) -> set[str]:
    found = subprocess.run(
        ["exiftool", "-a", "-s3", "-validate", "-warning", "-error", said["SourceFile"]], capture_output=True, text=True
    ).stdout.splitlines()
    # The first line counts them; deflate (a supplement to TIFF 6.0) is unknown to older ones.
    return set(found[1:]) - {"Invalid value for IFD0 tag 0x0103 Compression"}


@needs_exiftool
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("layer", [(), ("--as", "layer")])
def test_exiftool_finds_nothing_wrong(
    run: Callable[..., int], tmp_path: Path, output: str, layer: tuple[str, ...]
) -> None:
    if layer and output == "out.jpg":
        pytest.skip("a layer is no JPEG")
    scan, target = tmp_path / "scan.jpg", tmp_path / output
    scan.write_bytes(museum_scan("JPEG", complete=True))
    assert run(scan, "-o", target, *layer) == 0
    said = read_by_exiftool(target)
    assert warnings(said) - warnings(read_by_exiftool(scan)) == set()
    assert said["XMP-iptcExt:DigitalSourceType"] == SOURCE_TYPE.rpartition("/")[2] or (
        said["XMP-iptcExt:DigitalSourceType"] == SOURCE_TYPE
    )
    assert said["XMP-dc:Description-de"] == "Mädchen, um 1870"
    assert said["XMP-dc:Description-ja"] == "少女、1870年頃"
    assert said["XMP-shelf:Mark"] == "MS 17/4\nsecond line"
    assert said["IPTC:Caption-Abstract"] == "Mädchen, um 1870."
    assert len(said["XMP-xmpMM:History"]) == 2
    assert ("layer" in said["XMP-xmpMM:History"][1]["Parameters"]) == bool(layer)
