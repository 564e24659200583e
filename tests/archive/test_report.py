"""``colorize report``: numbers, table, page, checks, bags and IIIF manifests, from real journals."""

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import unquote

import bagit
import iiif_prezi3
import numpy as np
import pytest
from colorize_server.cli.colorize import main
from PIL import Image

NAME = "colorize-journal.jsonl"


@pytest.fixture
def archive(run, draw, scans: Path, tmp_path: Path, capsys) -> Path:
    """Return a folder of three results, and a journal that knows of a failure besides."""
    for name in ("a.png", "deep/b 100%.jpg", "c.tif"):
        draw(name)
    (scans / "bad.png").write_bytes(b"no picture")
    assert run(scans, "-o", tmp_path / "out") == 1
    capsys.readouterr()
    return tmp_path / "out"


def test_the_summary_counts_and_names_kinds_of_failures(archive: Path, capsys):
    assert main(["report", str(archive / NAME)]) == 0
    said = capsys.readouterr().out
    assert "coloured: 3 photographs, 0.0 megapixels" in said
    assert "not coloured: 1, of these 0 quarantined" in said
    assert "not coloured, damaged_picture: 1, for example" in said
    assert "The file is no picture that can be read." in said


def test_the_table_has_every_photograph_worst_doubt_first(archive: Path, tmp_path: Path):
    assert main(["report", str(archive), "--csv", str(tmp_path / "t.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text("utf-8"))))
    assert len(rows) == 4
    doubts = [float(row["doubt"]) for row in rows if row["state"] == "done"]
    assert doubts == sorted(doubts, reverse=True)
    assert len(doubts) == 3
    done = rows[0]
    assert len(done["source_sha256"]) == len(done["target_sha256"]) == len(done["model_sha256"]) == 64
    assert (done["width"], done["height"], done["depth"]) == ("40", "30", "8")
    assert done["profile"]
    assert json.loads(done["options"])["output"] == "composite"
    assert rows[-1]["state"] == "failed"


def test_the_page_shows_what_it_says_and_loads_nothing(archive: Path, tmp_path: Path):
    assert main(["report", str(archive), "--html", str(tmp_path / "r.html"), "--limit", "2"]) == 0
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("<figure>") == 2
    assert page.count("data:image/jpeg;base64,") == 4
    assert "2 of 3" in page
    assert "Not coloured: damaged_picture (1)" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_names_cannot_write_into_the_page(run, draw, scans: Path, tmp_path: Path):
    draw("<b onload=x>.png")
    assert run(scans, "-o", tmp_path / "out") == 0
    assert main(["report", str(tmp_path / "out"), "--html", str(tmp_path / "r.html")]) == 0
    assert "<b onload" not in (tmp_path / "r.html").read_text("utf-8")


def test_verify_sees_what_is_gone_changed_or_never_coloured(archive: Path, scans: Path, capsys):
    (scans / "bad.png").unlink()
    assert main(["report", str(archive), "--verify"]) == 1  # it was never coloured
    assert "bad.png is not coloured." in capsys.readouterr().err
    (archive / "a.colour.png").unlink()
    (archive / "c.colour.tif").write_bytes(b"x")
    (scans / "deep" / "b 100%.jpg").write_bytes(b"another")
    assert main(["report", str(archive), "--verify"]) == 1
    said = capsys.readouterr()
    assert "a.colour.png is gone." in said.err
    assert "c.colour.tif is not as it was written." in said.err
    assert "b 100%.jpg was changed after it was coloured." in said.err
    assert "verified: 4 problems" in said.out


def test_verify_is_content_with_what_holds(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("a.png")
    run(scans, "-o", tmp_path / "out")
    assert main(["report", str(tmp_path / "out"), "--verify"]) == 0
    assert "verified: every result is there, as it was written" in capsys.readouterr().out


def test_a_bag_is_valid_for_the_reference_implementation(archive: Path, tmp_path: Path, capsys):
    bag = tmp_path / "bags" / "one"
    assert main(["report", str(archive), "--bag", str(bag)]) == 0
    assert "3 results are in the bag" in capsys.readouterr().out
    opened = bagit.Bag(str(bag))
    assert opened.validate()
    assert opened.version_info == (1, 0)
    assert (bag / "data" / "deep" / "b 100_.colour.png").read_bytes() == (
        archive / "deep" / "b 100%.colour.png"
    ).read_bytes()
    assert (bag / "metadata" / NAME).exists()
    (bag / "data" / "a.colour.png").write_bytes(b"x")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(bag)).validate()


def test_no_bag_of_changed_results_and_none_over_another(archive: Path, tmp_path: Path, capsys):
    (archive / "a.colour.png").write_bytes(b"retouched")
    assert main(["report", str(archive), "--bag", str(tmp_path / "bag")]) == 1
    assert "is not as it was written, so no bag was made." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if "bag" in path.name] == []
    (tmp_path / "bag").mkdir()
    assert main(["report", str(archive), "--bag", str(tmp_path / "bag")]) == 1
    assert "exists already" in capsys.readouterr().err


def test_iiif_manifests_offer_grey_and_coloured_on_one_canvas(archive: Path, tmp_path: Path):
    folder, base = tmp_path / "iiif", "https://example.org/photographs/"
    assert main(["report", str(archive), "--iiif", str(folder), base]) == 0
    collection = json.loads((folder / "collection.json").read_text())
    iiif_prezi3.Collection(**collection)
    assert len(collection["items"]) == 3
    for item in collection["items"]:
        place = folder / unquote(item["id"].removeprefix(base)).removesuffix("/manifest.json")
        manifest = json.loads((place / "manifest.json").read_text())
        iiif_prezi3.Manifest(**manifest)
        canvas = manifest["items"][0]
        body = canvas["items"][0]["items"][0]["body"]
        assert body["type"] == "Choice"
        assert [choice["label"]["en"] for choice in body["items"]] == [["Photograph"], ["Coloured"]]
        grey, coloured = (np.asarray(Image.open(place / f"{name}.jpg")) for name in ("photograph", "coloured"))
        assert grey.shape == (canvas["height"], canvas["width"])
        assert coloured.shape == (canvas["height"], canvas["width"], 3)
        assert np.ptp(coloured.astype(int), axis=-1).mean() > 1


def test_an_address_that_is_none_is_refused(archive: Path, tmp_path: Path, capsys):
    assert main(["report", str(archive), "--iiif", str(tmp_path / "iiif"), "photographs"]) == 1
    assert "photographs is no address." in capsys.readouterr().err


def test_a_file_that_is_no_journal_is_no_report(tmp_path: Path, capsys):
    (tmp_path / "x.jsonl").write_text("hello\n")
    assert main(["report", str(tmp_path / "x.jsonl")]) == 1
    assert "is no journal of colorize" in capsys.readouterr().err


def test_a_photograph_called_report_is_given_by_its_path(run, draw, scans: Path, monkeypatch):
    draw("a.png").rename(scans / "report")
    monkeypatch.chdir(scans)
    assert run("./report", "-o", "out.png") == 0
    assert (scans / "out.png").exists()
