"""Manifests and names: what is coloured from them, and what is refused before the first picture."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from colorize_server.archive.journal import read_journal
from colorize_server.archive.names import leaves_folder

NAME = "colorize-journal.jsonl"


@pytest.fixture
def manifest(tmp_path: Path):
    """Return what writes a manifest of rows, by its name."""

    def write(rows: list[dict[str, str]], name: str = "in.csv") -> Path:
        path = tmp_path / name
        if name.endswith(".csv"):
            columns = list(dict.fromkeys(column for row in rows for column in row))
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_a_manifest_is_coloured_and_verified(run, draw, manifest, tmp_path: Path, capsys, name: str):
    sha256 = hashlib.sha256(draw("a.png").read_bytes()).hexdigest()
    draw("b.tif")
    rows = [
        {"id": "inv-1", "source": "scans/a.png", "target": "access/one.png", "sha256": sha256},
        {"id": "inv-2", "source": "scans/b.tif", "target": "", "sha256": ""},
    ]
    path, out = manifest(rows, name), tmp_path / "out"
    assert run("--manifest", path, "-o", out) == 0
    assert (out / "access" / "one.png").exists()
    assert (out / "b.tif").exists()
    assert {entry.id for entry in read_journal(out / NAME).latest.values()} == {"inv-1", "inv-2"}
    from colorize_server.cli.colorize import main

    assert main(["report", str(out), "--manifest", str(path)]) == 0
    longer = manifest([*rows, {"id": "inv-3", "source": "scans/c.png", "target": "", "sha256": ""}], name)
    assert main(["report", str(out), "--manifest", str(longer)]) == 1
    assert "inv-3, is not in the journal." in capsys.readouterr().err


def test_a_photograph_that_is_not_the_one_of_the_manifest_fails(run, draw, manifest, tmp_path: Path, capsys):
    draw("a.png")
    path = manifest([{"id": "1", "source": "scans/a.png", "target": "a.png", "sha256": "0" * 64}])
    assert run("--manifest", path, "-o", tmp_path / "out") == 1
    assert "Its file is not the one of the manifest: the SHA-256 differs." in capsys.readouterr().err
    assert not (tmp_path / "out" / "a.png").exists()


ROW = {"id": "1", "source": "scans/a.png", "target": "a.png"}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{**ROW, "colour": "red"}], "in.csv, line 1: there is no column 'colour'"),
        ([{"id": "1", "target": "a.png"}], "in.csv, line 1: the column 'source' is missing"),
        ([ROW, {**ROW, "id": "2", "target": "A.png"}], "line 3: its target 'A.png' is that of line 2, too."),
        ([ROW, {**ROW, "target": "b.png"}], "line 3: its id '1' is that of line 2, too."),
        ([ROW, {**ROW, "id": "2", "source": "none.png", "target": "b.png"}], "none.png is not there."),
        ([{**ROW, "target": "../a.png"}], "line 2: its target '../a.png' leaves the folder by '..'."),
        ([{**ROW, "target": "/x/a.png"}], "line 2: its target '/x/a.png' is absolute."),
        ([{**ROW, "target": "C:\\a.png"}], "is absolute."),
        ([{**ROW, "target": "link/a.png"}], "line 2: its target 'link/a.png' leaves the folder by a link."),
        ([{**ROW, "target": "a.webp"}], "line 2: its target 'a.webp' does not end in .png"),
        ([{**ROW, "sha256": "abc"}], "line 2: its sha256 is not 64 hexadecimal digits."),
        ([{**ROW, "id": ""}], "line 2: its id or its source is empty."),
        ([], "has no rows"),
    ],
)
def test_a_row_that_cannot_be_done_is_refused_with_its_line(run, draw, manifest, tmp_path: Path, capsys, rows, says):
    draw("a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "link").symlink_to(tmp_path)
    assert run("--manifest", manifest(rows), "-o", out) == 1
    assert says in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["link"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"id": "1", "source": "a.png"}\n{"id": \n', "line 2: it is no JSON."),
        (b'{"id": 1, "source": "a.png"}\n', "line 1: it is no JSON object of texts."),
        (b"\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_lines_that_are_no_rows_are_refused(run, tmp_path: Path, capsys, content: bytes, says: str):
    (tmp_path / "in.jsonl").write_bytes(content)
    assert run("--manifest", tmp_path / "in.jsonl", "-o", tmp_path / "out") == 1
    assert says in capsys.readouterr().err


def test_all_faults_are_told_at_once_and_not_without_end(run, manifest, tmp_path: Path, capsys):
    rows = [{"id": str(n), "source": f"none-{n}.png", "target": f"{n}.png"} for n in range(30)]
    assert run("--manifest", manifest(rows), "-o", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert said.count("is not there") == 20
    assert "... and 10 more." in said


def test_a_csv_with_too_few_fields_is_refused(run, tmp_path: Path, capsys):
    (tmp_path / "in.csv").write_text("id,source\n1\n")
    assert run("--manifest", tmp_path / "in.csv", "-o", tmp_path / "out") == 1
    assert "line 2: it has 1 fields, and the header 2." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "\\x.png", "a\\..\\..\\x.png", "c:x.png"])
def test_names_that_leave_their_folder(tmp_path: Path, name: str):
    assert leaves_folder(name, tmp_path)


@pytest.mark.parametrize("name", ["x.png", "a/b/x.png", "..x.png", "a..b/x.png", "ä/é.png"])
def test_names_that_stay(tmp_path: Path, name: str):
    assert leaves_folder(name, tmp_path) == ""


def test_results_are_named_by_a_pattern(run, draw, scans: Path, tmp_path: Path):
    draw("deep/a.jpg")
    draw("b.tif")
    out = scans / "access"
    assert run(scans, "-o", out, "--name", "{stem}.{suffix}") == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.suffix in (".png", ".tif")) == [
        "b.tif",
        "deep/a.png",
    ]
    before = (out / NAME).read_bytes().count(b'"done"')
    assert run(scans, "-o", out, "--name", "{stem}.{suffix}") == 0  # results are no photographs
    assert (out / NAME).read_bytes().count(b'"done"') == before == 2


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{stem}.{kind}", "there is no field {kind}"),
        ("{stem", "its braces do not match"),
        ("../{stem}.png", "is not the name of one file"),
        ("all.png", "does not name a picture for each photograph"),
        ("{stem}.webp", "does not name a picture for each photograph"),
        ("{stem.__class__}.png", "there is no field {stem.__class__}"),
    ],
)
def test_patterns_that_give_no_names(run, draw, scans: Path, tmp_path: Path, capsys, pattern: str, says: str):
    draw("a.png")
    assert run(scans, "-o", tmp_path / "out", "--name", pattern) == 1
    assert says in capsys.readouterr().err


def test_a_pattern_needs_a_folder_of_its_own(run, draw, scans: Path, capsys):
    draw("a.png")
    assert run(scans, "--name", "{stem}-c.{suffix}") == 1
    assert "need a folder of their own. Name it with -o." in capsys.readouterr().err


def test_a_dry_run_counts_estimates_and_writes_nothing(run, draw, scans: Path, tmp_path: Path, capsys):
    for n in range(12):
        draw(f"{n}.png")
    (scans / "junk.png").write_bytes(b"no picture")
    assert run(scans, "-o", tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "13 photographs, 0.0 megapixels, 0 results there already." in said
    assert "1 have a header that cannot be read." in said
    assert "from 10 photographs that were coloured." in said
    assert "MB are free there." in said
    assert not (tmp_path / "out").exists()
    assert sorted(path.suffix for path in scans.iterdir()) == [".png"] * 13


def test_photographs_or_a_manifest(run, draw, manifest, capsys):
    with pytest.raises(SystemExit):
        run("a.png", "--manifest", "x.csv")
    draw("a.png")
    assert run("--manifest", manifest([ROW])) == 1
    assert "Name the folder with -o" in capsys.readouterr().err
