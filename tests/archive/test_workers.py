"""Many workers: what they write, what becomes of a photograph that kills them, Ctrl+C, memory."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
from colorize_server.archive import batch, pool
from colorize_server.archive.entry import Entry, State
from colorize_server.archive.journal import Journal, read_journal
from colorize_server.archive.painter import open_painter
from colorize_server.archive.plan import BatchOptions
from colorize_server.archive.pool import Pool, WorkerPlan
from colorize_server.archive.room import needed_bytes
from colorize_server.archive.task import Rules, Task
from colorize_server.backends import gpu, onnxruntime_backend
from colorize_server.errors import BackendError
from colorize_server.files import remove_leftovers
from colorize_server.formats.decode import decode_picture
from colorize_server.model import load_model
from colorize_server.picture.options import Options, Output
from PIL import Image

FAULTY_WORKER = (sys.executable, "-P", str(Path(__file__).parent / "faulty_worker.py"))


def test_workers_write_what_one_process_writes(run, draw, scans: Path, tmp_path: Path):
    for name in ("a.png", "b.jpg", "c.tif", "deep/d.png"):
        draw(name)
    for jobs, out in (("1", "one"), ("2", "two")):
        assert run(scans, "-o", tmp_path / out, "--jobs", jobs) == 0
    results = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.colour.*"))
    assert len(results) == 4
    for name in results:
        one, two = (decode_picture((tmp_path / out / name).read_bytes()).pixels for out in ("one", "two"))
        np.testing.assert_array_equal(one, two)


def test_a_photograph_that_kills_its_worker_twice_is_quarantined_and_the_rest_is_done(colour, draw, lines):
    sources = [draw(name) for name in ("a.png", "poison.png", "b.png", "c.png", "d.png")]
    report, told = colour(sources)
    assert (report.done, report.failed) == (4, 1)
    assert [Path(entry.source).name for entry in told if entry.state is State.QUARANTINED] == ["poison.png"]
    states = Counter(line["state"] for line in lines() if Path(str(line.get("source"))).name == "poison.png")
    assert states == {"crashed": 1, "quarantined": 1}
    assert "by signal 9" in next(entry for entry in told if entry.error).reason


def test_a_quarantined_photograph_stays_so_until_it_changes_or_is_asked_for(colour, draw, lines):
    poison = draw("poison.png")
    colour([poison, draw("a.png")])
    before = len(lines())
    # The faulty worker does not read it any more where the journal names it: it would die.
    poison.rename(poison.with_name("tame.png"))
    tame = poison.with_name("tame.png")
    journal = read_journal(poison.parents[1] / "out" / "journal.jsonl")
    entry = next(entry for entry in journal.latest.values() if entry.state is State.QUARANTINED)
    assert entry.source_sha256
    assert entry.options["output"] == "composite"
    report, _ = colour([tame])
    assert report.done == 1
    assert len(lines()) > before


def test_one_death_is_no_quarantine(colour, draw, lines):
    report, told = colour([draw("once.png"), draw("a.png")])
    assert (report.done, report.failed) == (2, 0)
    assert [line["state"] for line in lines() if "once" in str(line.get("source"))] == ["crashed", "writing", "done"]
    assert all(entry.state is State.DONE for entry in told)


def test_a_backend_that_dies_while_it_loads_is_no_fault_of_the_photographs(tmp_path: Path, draw, tiny_model_path: Path):
    dying = tmp_path / "dying.py"
    dying.write_text(
        "import os\nfrom colorize_server.archive import worker\n"
        "worker.open_painter = lambda *_: os._exit(3)\nworker.main()\n"
    )
    plan = WorkerPlan(1, 1, tiny_model_path, "onnxruntime", 1 << 30, (sys.executable, str(dying)))
    rules = Rules(BatchOptions(Options(output=Output.COMPOSITE)), "0")
    told: list[Entry] = []
    with pytest.raises(BackendError, match="ended its process"):
        Pool(plan, rules, None).run([Task(str(draw("a.png")), str(tmp_path / "a.colour.png"))], told.append)
    assert told == []


def test_ctrl_c_ends_in_seconds_and_leaves_nothing_half_written(
    draw, scans: Path, tmp_path: Path, tiny_model_path: Path
):
    for name in ("a.png", "b.png", "slow.png", "z.png"):
        draw(name)
    program = (
        "import sys\nfrom colorize_server.archive import batch\nfrom colorize_server.cli.colorize import main\n"
        f"batch.Means.__init__.__defaults__ = (*batch.Means.__init__.__defaults__[:-1], {FAULTY_WORKER!r})\n"
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nsys.exit(main())"
    )
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-c",
        program,
        str(scans),
        "-o",
        str(out),
        "--jobs",
        "1",
        "--model",
        str(tiny_model_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (scans / "slow.begun").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped after 2 of 4; none was left half-written" in said
    assert printed.count(".colour.png") == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.colour.png", "b.colour.png", "colorize-journal.jsonl"]
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)


def test_workers_end_with_their_parent(draw, scans: Path, tmp_path: Path, tiny_model_path: Path):
    draw("slow.png")
    draw("a.png")
    program = (
        "import sys\nfrom colorize_server.archive import batch\nfrom colorize_server.cli.colorize import main\n"
        f"batch.Means.__init__.__defaults__ = (*batch.Means.__init__.__defaults__[:-1], {FAULTY_WORKER!r})\nmain()"
    )
    command = [sys.executable, "-c", program, str(scans), "--jobs", "2", "--model", str(tiny_model_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (scans / "slow.begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children()
    assert workers
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    ours, other = tmp_path / f".colorize-{ended.pid}-abc", tmp_path / f".colorize-{os.getpid()}-abc"
    for path in (ours, other):
        path.touch()
    remove_leftovers(tmp_path)
    assert not ours.exists()
    assert other.exists()


def test_a_large_picture_waits_for_room_and_is_done(tmp_path: Path, draw, tiny_model_path: Path):
    """No two are under way where memory has room for one only, and one that needs more than there is runs alone."""
    sources = [draw(f"{n}.png") for n in range(6)]
    budget = int(1.5 * needed_bytes(sources[0]))
    plan = WorkerPlan(2, 1, tiny_model_path, "onnxruntime", budget, pool.WORKER_COMMAND)
    most = 0

    class Watched(Pool):
        def _hand_out(self, waiting):
            nonlocal most
            goes_on = super()._hand_out(waiting)
            most = max(most, sum(worker.task is not None for worker in self._workers))
            return goes_on

    rules = Rules(BatchOptions(Options(output=Output.COMPOSITE)), "0")
    told: list[Entry] = []
    tasks = [Task(str(path), str(tmp_path / f"{path.stem}.out.png")) for path in sources]
    Watched(plan, rules, None).run(tasks, told.append)
    assert [entry.state for entry in told] == [State.DONE] * 6
    assert most == 1


def test_memory_is_counted_from_the_header(tmp_path: Path):
    for mode, name in (("L", "grey.png"), ("I;16", "deep.tif"), ("RGB", "colour.jpg")):
        Image.new(mode, (200, 100)).save(tmp_path / name)
    assert needed_bytes(tmp_path / "grey.png") == needed_bytes(tmp_path / "colour.jpg")
    assert needed_bytes(tmp_path / "deep.tif") == 2 * needed_bytes(tmp_path / "grey.png")
    (tmp_path / "junk.png").write_bytes(b"x" * 1000)
    assert needed_bytes(tmp_path / "junk.png") >= 1000
    assert needed_bytes(tmp_path / "missing.png") == 0


def test_a_full_disk_ends_the_run_and_says_so(colour, draw, monkeypatch):
    """The journal's write fails as it does on a full disk: no result is written that it does not know."""
    sources = [draw(f"{n}.png") for n in range(4)]
    append = Journal.append
    calls = 0

    def full(journal: Journal, entry: Entry) -> None:
        nonlocal calls
        calls += 1
        if calls >= 3:  # and it stays full
            raise journal._unwritable(OSError(28, "No space left on device"))
        append(journal, entry)

    monkeypatch.setattr(Journal, "append", full)
    report, told = colour(sources, workers=1)
    assert report.ended_by is not None
    assert "cannot be written: No space left" in str(report.ended_by)
    out = sources[0].parents[1] / "out"
    assert len(list(out.glob("*.png"))) == report.done == len(told) == 1


def test_a_worker_that_dies_after_it_wrote_does_nothing_twice(colour, draw, lines, tmp_path: Path):
    report, told = colour([draw("late.png"), draw("a.png")])
    assert (report.done, report.skipped, report.failed) == (2, 0, 0)
    assert [line["state"] for line in lines() if "late" in str(line.get("source"))] == ["writing", "crashed", "done"]
    assert (tmp_path / "out" / "late.colour.png").exists()
    assert len(told) == 2


@pytest.mark.parametrize(
    ("backend", "cards", "workers", "expected"),
    [("auto", 1, None, 1), ("auto", 0, None, 3), ("onnxruntime", 1, None, 3), ("cuda", 0, None, 1), ("auto", 1, 2, 2)],
)
def test_a_card_has_one_worker_and_a_processor_as_many_as_fit(
    monkeypatch, tiny_model_path: Path, backend: str, cards: int, workers: int | None, expected: int
):
    monkeypatch.setattr(batch, "find_gpus", lambda: gpu.GpuReport(gpus=("card",) * cards))
    monkeypatch.setattr(batch, "fitting_workers", lambda _: 3)
    plan = batch.plan_workers(10, tiny_model_path, batch.Means(backend, workers=workers))
    assert plan.count == expected
    assert plan.threads >= 1
    assert batch.plan_workers(1, tiny_model_path, batch.Means("onnxruntime")).count == 1


def test_a_backend_is_bound_to_its_threads(tiny_model_path: Path, monkeypatch):
    seen = []
    session = onnxruntime_backend.onnxruntime.InferenceSession

    def watched(data, options, **more):
        seen.append(options.intra_op_num_threads)
        return session(data, options, **more)

    monkeypatch.setattr(onnxruntime_backend.onnxruntime, "InferenceSession", watched)
    for threads in (1, None):
        open_painter(load_model(tiny_model_path), "onnxruntime", threads).close()
    assert seen == [1, 0]  # 0 is ONNX Runtime's own choice
