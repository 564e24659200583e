"""In a real GIMP: what an exported file says of its colours, and of the archive's own record."""

from pathlib import Path

import pytest
from actions import colorize
from colorize_server.formats.embedded import read_embedded
from colorize_server.provenance.packet import Packet
from colorize_server.provenance.record import SOURCE_TYPE
from colorize_server.provenance.verify import verdict
from gimp_root import Gimp, Session
from museum import museum_scan

pytestmark = pytest.mark.gimp

EXPORTS = {"out.jpg": "file-jpeg-export", "out.png": "file-png-export", "out.tif": "file-tiff-export"}


def exported(gimp: Gimp, session: Session, image: int, name: str) -> Packet:
    target = session.folder / name
    gimp.call("export", image=image, path=session.inside(target), procedure=EXPORTS[name])
    embedded = read_embedded(target.read_bytes())
    assert embedded.xmp is not None
    assert verdict(embedded.xmp, None).is_told
    return Packet.read(embedded.xmp)


def test_exported_files_say_that_their_colours_are_inferred(gimp: Gimp, session: Session, tmp_path: Path) -> None:
    """Also after the image was saved as XCF; what the museum said stays as GIMP keeps it."""
    (tmp_path / "scan.jpg").write_bytes(museum_scan("JPEG"))
    opened = gimp.call("open_image", path=session.share(tmp_path / "scan.jpg"))
    image, layer = opened["image"], opened["layers"][0]
    colorize(gimp, image, [layer])
    for name in EXPORTS:
        packet = exported(gimp, session, image, name)
        assert packet.text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
        assert packet.text("photoshop:City") == "Tartu"
        scanned, coloured, *_ = packet.items("xmpMM:History")
        assert scanned["softwareAgent"] == "ScanTool"
        assert "a guess" in coloured["parameters"]
        assert "Model colorize-base" in coloured["parameters"]
        assert "negativeFilm" in coloured["parameters"]
    gimp.call("save", image=image, path=session.inside(session.folder / "out.xcf"))
    gimp.call("close", image=image)
    again = gimp.call("open_image", path=session.inside(session.folder / "out.xcf"))["image"]
    assert exported(gimp, session, again, "out.jpg").text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
    gimp.call("close", image=again)


def test_an_image_without_metadata_gets_a_record_for_each_run(gimp: Gimp, session: Session, tmp_path: Path) -> None:
    from PIL import Image

    Image.linear_gradient("L").save(tmp_path / "bare.png")
    opened = gimp.call("open_image", path=session.share(tmp_path / "bare.png"))
    image, layer = opened["image"], opened["layers"][0]
    colorize(gimp, image, [layer])
    colorize(gimp, image, [layer], saturation=0.5)
    events = exported(gimp, session, image, "out.png").items("xmpMM:History")
    gimp.call("close", image=image)
    told = [event["parameters"] for event in events if "parameters" in event]
    assert len(told) == 2
    assert "saturation 0.5" in told[1]
    assert "before" not in told[1]
