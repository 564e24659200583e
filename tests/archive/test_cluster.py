"""``colorize-archive`` on a cluster of this machine: results, reports, what is lost and what not, an S3 interface."""

import csv
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
]

PROGRAM = "import sys; from colorize_server.entry import colorize_archive; sys.exit(colorize_archive())"


@pytest.fixture
def manifest(draw, tmp_path: Path) -> Callable[[int], Path]:
    """Return what draws so many photographs and names them in a manifest."""

    def write(count: int) -> Path:
        path = tmp_path / "in.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "source", "target"])
            for n in range(count):
                draw(f"{n}.png")
                writer.writerow([f"id-{n}", f"scans/{n}.png", f"results/{n}.png"])
        return path

    return write


@pytest.fixture
def command(tmp_path: Path, tiny_model_path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command and its environment, in which photographs that hold POISON end their process."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "COLORIZE_POISON": "1"}
    model = ["--model", str(tiny_model_path), "--workers", "2", "--backend", "onnxruntime"]
    return [sys.executable, "-W", "ignore", "-c", PROGRAM, *model], environment


def run(command, *arguments: object) -> subprocess.CompletedProcess[str]:
    words, environment = command
    whole = [*words, *map(str, arguments)]
    return subprocess.run(whole, env=environment, capture_output=True, text=True, timeout=280, check=False)


def rows_of(folder: Path) -> list[dict[str, object]]:
    import pyarrow.parquet

    return [row for path in sorted(folder.rglob("*.parquet")) for row in pyarrow.parquet.read_table(path).to_pylist()]


def last_report(out: Path) -> list[dict[str, object]]:
    return rows_of(sorted((out / "colorize-reports").iterdir())[-1])


def test_every_row_is_in_the_report_and_poison_is_quarantined(command, manifest, scans: Path, tmp_path: Path):
    path, out = manifest(10), tmp_path / "out"
    with (scans / "3.png").open("ab") as file:
        file.write(b"POISON")
    (scans / "5.png").write_bytes(b"no picture")
    ended = run(command, path, "--out", out)
    assert ended.returncode == 1, ended.stderr
    assert "8 coloured, 0 were done already, 2 failed, of 10 rows." in ended.stdout
    rows = last_report(out)
    assert sorted(row["line"] for row in rows) == list(range(2, 12))
    assert Counter(row["state"] for row in rows) == {"done": 8, "quarantined": 1, "failed": 1}
    assert next(row["id"] for row in rows if row["state"] == "quarantined") == "id-3"
    assert len(list((out / "results").iterdir())) == 8
    # A second run does nothing twice, and leaves alone what kills.
    before = {result.name: result.stat().st_mtime_ns for result in (out / "results").iterdir()}
    ended = run(command, path, "--out", out)
    assert "0 coloured, 8 were done already, 2 failed, of 10 rows." in ended.stdout
    assert {result.name: result.stat().st_mtime_ns for result in (out / "results").iterdir()} == before


def test_a_killed_driver_loses_nothing(command, manifest, tmp_path: Path):
    path, out = manifest(40), tmp_path / "out"
    words, environment = command
    process = subprocess.Popen([*words, str(path), "--out", str(out)], env=environment, stdout=subprocess.PIPE)
    while len(list((out / "results").glob("*.png")) if (out / "results").exists() else []) < 5:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    time.sleep(5)  # until Ray has noticed
    before = {result.name: result.stat().st_mtime_ns for result in (out / "results").glob("*.png")}
    ended = run(command, path, "--out", out)
    assert ended.returncode == 0, ended.stderr
    rows = last_report(out)
    assert Counter(row["state"] for row in rows) == {"done": 40 - len(before), "skipped": len(before)}
    after = {result.name: result.stat().st_mtime_ns for result in (out / "results").glob("*.png")}
    assert len(after) == 40
    assert {name: after[name] for name in before} == before


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a bucket of a real S3 interface on this machine."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield "s3://archive"
    running.stop()


def test_sources_and_targets_in_s3(s3: str, manifest, scans: Path, tmp_path: Path, tiny_model_path: Path, command):
    import fsspec

    path = manifest(6)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.mkdir("archive")
    for photo in scans.iterdir():
        system.pipe_file(f"archive/masters/scans/{photo.name}", photo.read_bytes())
    words = (command[0], {**os.environ, **command[1]} | {k: v for k, v in os.environ.items() if k.startswith("AWS_")})
    arguments = (path, "--sources", f"{s3}/masters", "--out", f"{s3}/access")
    ended = run(words, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert "6 coloured" in ended.stdout
    system.invalidate_cache()
    assert len(system.ls("archive/access/results")) == 6
    assert system.cat_file("archive/access/results/0.png").startswith(b"\x89PNG")
    assert system.glob("archive/access/colorize-reports/*/*.parquet")
    assert "6 were done already" in run(words, *arguments).stdout
    with path.open("a") as file:
        file.write("id-9,scans/none.png,results/9.png\n")
    ended = run(words, *arguments)
    assert ended.returncode == 1
    assert "in.csv, line 8: its photograph s3://archive/masters/scans/none.png is not there." in ended.stderr


def test_rows_that_nobody_gives_back_are_told_and_fail(monkeypatch, manifest, tmp_path: Path, capsys):
    """The check can fail: Ray here gives back 7 of 10 rows and says nothing."""
    cluster = pytest.importorskip("colorize_server.archive.cluster")
    from colorize_server.archive.entry import Entry, State
    from colorize_server.cli.archive import main

    monkeypatch.setattr(cluster, "_start", lambda _: None)
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: None)
    done = Entry(state=State.DONE, source="", target="")
    monkeypatch.setattr(cluster, "_results", lambda rows, _: (cluster.as_row(done, row.line) for row in rows[:7]))
    assert main([str(manifest(10)), "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "7 coloured, 0 were done already, 3 failed, of 10 rows." in captured.out
    assert captured.err.count("No worker gave it back. Run the same command again: it goes on.") == 3
    assert sorted(row["line"] for row in last_report(tmp_path / "out")) == list(range(2, 12))


def test_without_ray_the_extra_is_named(monkeypatch, manifest, tmp_path: Path, capsys):
    from colorize_server.cli.archive import main

    monkeypatch.setitem(sys.modules, "colorize_server.archive.cluster", None)
    assert main([str(manifest(1)), "--out", str(tmp_path / "out")]) == 1
    assert "is not installed. Install it: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
