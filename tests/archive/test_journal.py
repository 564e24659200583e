"""The journal: what a second run does again and what not, and journals that are damaged or strange."""

import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from colorize_server.archive.entry import Entry, State
from colorize_server.archive.journal import Journal, read_journal
from colorize_server.errors import OutputError, PictureError

NAME = "colorize-journal.jsonl"


def states(journal: Path) -> Counter[str]:
    """Return how many lines there are of each state."""
    return Counter(json.loads(line).get("state") for line in journal.read_bytes().splitlines())


def test_a_second_run_does_nothing_twice(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("a.png")
    draw("b.png")
    out = tmp_path / "out"
    assert run(scans, "-o", out) == 0
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in out.glob("*.png")}
    capsys.readouterr()
    assert run(scans, "-o", out) == 0
    captured = capsys.readouterr()
    assert "2 skipped: their results are there already." in captured.err
    assert captured.out == ""
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in out.glob("*.png")} == before
    assert states(out / NAME)["done"] == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda draw, scans, out: draw("b.png").rename(scans / "a.png"), id="another photograph"),
        pytest.param(lambda draw, scans, out: (out / "a.colour.png").unlink(), id="result gone"),
    ],
)
def test_what_changed_is_done_again(run, draw, scans: Path, tmp_path: Path, change):
    draw("a.png")
    out = tmp_path / "out"
    run(scans, "-o", out)
    change(draw, scans, out)
    assert run(scans, "-o", out) == 0
    assert states(out / NAME)["done"] == 2
    latest = read_journal(out / NAME).latest[str(out / "a.colour.png")]
    assert latest.target_sha256 == sha256(out / "a.colour.png")
    assert latest.source_sha256 == sha256(scans / "a.png")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_options_or_another_model_do_it_again(run, draw, scans: Path, tmp_path: Path, tiny_model_path: Path):
    draw("a.png")
    out = tmp_path / "out"
    run(scans, "-o", out)
    assert run(scans, "-o", out, "--saturation", "0.5") == 0
    assert states(out / NAME)["done"] == 2
    other = tmp_path / "other.onnx"
    shutil.copy(tiny_model_path, other)
    with other.open("ab") as file:  # a field that the contract does not know: the same network, another file
        file.write(b"\xfa\x07\x00")
    from colorize_server.cli.colorize import main

    assert main([str(scans), "-o", str(out), "--saturation", "0.5", "--model", str(other)]) == 0
    assert states(out / NAME)["done"] == 3


def test_what_the_artist_changed_is_kept(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("a.png")
    out = tmp_path / "out"
    run(scans, "-o", out)
    (out / "a.colour.png").write_bytes(b"retouched")
    draw("b.png")
    (out / "b.colour.png").write_bytes(b"never ours")
    assert run(scans, "-o", out) == 0
    assert (out / "a.colour.png").read_bytes() == b"retouched"
    assert (out / "b.colour.png").read_bytes() == b"never ours"
    assert "a.colour.png: The result was changed since; it is kept as it is." in capsys.readouterr().err
    assert run(scans, "-o", out, "--overwrite") == 0
    assert (out / "a.colour.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_that_was_written_before_anybody_could_say_so_is_done(run, draw, scans: Path, tmp_path: Path):
    """Killed between the file and its last line: the announcement tells its hash."""
    draw("a.png")
    out = tmp_path / "out"
    run(scans, "-o", out)
    lines = (out / NAME).read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["state"] == "done"
    (out / NAME).write_bytes(b"".join(lines[:-1]))
    written = (out / "a.colour.png").stat().st_mtime_ns
    assert run(scans, "-o", out) == 0
    assert (out / "a.colour.png").stat().st_mtime_ns == written
    assert states(out / NAME) == {None: 3, "writing": 1, "done": 1}
    (out / NAME).write_bytes(b"".join(lines[:-1]))  # announced only, and the file never came
    (out / "a.colour.png").unlink()
    assert run(scans, "-o", out) == 0
    assert states(out / NAME)["writing"] == 2


def test_a_journal_that_was_cut_off_loses_nothing_else(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("a.png")
    draw("b.png")
    out = tmp_path / "out"
    run(scans, "-o", out, "--jobs", "1")
    content = (out / NAME).read_bytes()
    cut = content[: -len(content.splitlines()[-1]) // 2]
    (out / NAME).write_bytes(cut)
    assert run(scans, "-o", out) == 0
    assert (out / NAME).read_bytes().startswith(cut + b"\n")
    assert "was cut off; its photograph counts as not done." in capsys.readouterr().err
    assert {entry.state for entry in read_journal(out / NAME).latest.values()} == {State.DONE}
    assert len(read_journal(out / NAME).remarks) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"journal": "colorize", "version": 99}\n', "is of version 99, and this colorize knows version 1"),
        (b"my diary\n", "is no journal of colorize"),
        (b'{"state": "done"}\n', "is no journal of colorize"),
        (b"[1]\n", "is no journal of colorize"),
    ],
)
def test_a_journal_of_another_version_or_none_is_refused_and_kept(
    run, draw, scans: Path, tmp_path: Path, capsys, content: bytes, says: str
):
    draw("a.png")
    journal = tmp_path / "j.jsonl"
    journal.write_bytes(content)
    assert run(scans, "--journal", journal) == 1
    assert says in capsys.readouterr().err
    assert journal.read_bytes() == content
    assert not (scans / "a.colour.png").exists()


def test_two_runs_do_not_share_a_journal(tmp_path: Path):
    first = Journal(tmp_path / "j.jsonl")
    with pytest.raises(OutputError, match="Another run is writing the journal"):
        Journal(tmp_path / "j.jsonl")
    first.close()
    Journal(tmp_path / "j.jsonl").close()


def test_an_archive_can_be_moved(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("deep/a.png")
    assert run(scans) == 0
    scans.rename(tmp_path / "elsewhere")
    assert run(tmp_path / "elsewhere") == 0
    assert "1 skipped" in capsys.readouterr().err


def test_names_of_any_bytes_come_back(tmp_path: Path):
    name = os.fsdecode(b"/x/\xff\xfe.png") if os.name == "posix" else "/x/ä.png"
    journal = Journal(tmp_path / "j.jsonl")
    journal.append(Entry(state=State.DONE, source=name, target=name))
    journal.close()
    assert list(read_journal(tmp_path / "j.jsonl").latest) == [name]


def test_a_later_failure_does_not_forget_what_was_written(tmp_path: Path):
    journal = Journal(tmp_path / "j.jsonl")
    target = str(tmp_path / "a.png")
    journal.append(Entry(state=State.DONE, source="/a", target=target, target_sha256="1"))
    journal.append(Entry(state=State.FAILED, source="/a", target=target))
    journal.close()
    recorded = read_journal(tmp_path / "j.jsonl")
    assert recorded.latest[target].state is State.FAILED
    assert recorded.written[target].target_sha256 == "1"


def test_a_read_only_folder_is_told_before_the_first_picture(run, draw, scans: Path, tmp_path: Path, capsys):
    draw("a.png")
    (tmp_path / "out").write_text("a file where the folder should be")
    assert run(scans, "--journal", tmp_path / "out" / NAME) == 1
    assert "cannot be written: " in capsys.readouterr().err
    assert not (scans / "a.colour.png").exists()


def test_a_journal_that_cannot_be_read_says_so(tmp_path: Path):
    with pytest.raises(PictureError, match="cannot be read: No such file"):
        read_journal(tmp_path / "none.jsonl")
