"""What becomes of an archive when workers, parents, disks and photographs fail: each fault against the real command."""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

sys.path.append(str(Path(__file__).parents[2] / "fixtures"))

from tiny_model import write_tiny_model

COUNT = 120
NAME = "colorize-journal.jsonl"
# Photographs that hold the word POISON end the process that decodes them.
_PATHS = [str(Path(__file__).parents[2] / "archive"), os.environ.get("PYTHONPATH", "")]
POISON = {"PYTHONPATH": os.pathsep.join(filter(None, _PATHS)), "COLORIZE_POISON": "1"}


class Archive:
    """A folder of photographs, and the command that colours it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.scans, self.out, self.folder = folder / "scans", folder / "out", folder
        self.scans.mkdir(parents=True)
        for n in range(COUNT):
            pixels = np.random.default_rng(n).integers(0, 256, (120, 160), dtype=np.uint8)
            Image.fromarray(pixels).save(self.scans / f"{n:03}.png")
        rows = [f"{path.stem},scans/{path.name},{path.stem}.colour.png\n" for path in self.photos()]
        (folder / "in.csv").write_text("id,source,target\n" + "".join(rows))
        self._model = ["--model", str(model), "--backend", "onnxruntime"]

    def photos(self) -> list[Path]:
        """Return the photographs."""
        return sorted(self.scans.iterdir())

    def start(self, engine: str = "jobs") -> subprocess.Popen[bytes]:
        """Begin to colour, with processes or with Ray."""
        command = [sys.executable, "-W", "ignore", "-m", "colorize_server.cli.colorize", str(self.scans), "--jobs", "2"]
        if engine == "ray":
            command = [sys.executable, "-W", "ignore", "-m", "colorize_server.cli.archive", str(self.folder / "in.csv")]
        words = [*command, *self._model, "--out" if engine == "ray" else "-o", str(self.out)]
        environment = {**os.environ, **POISON}
        return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def written(self) -> int:
        """Return how many results there are."""
        return len(list(self.out.glob("*.png")))

    def poison(self) -> None:
        """Have one photograph end whatever decodes it."""
        with (self.scans / "050.png").open("ab") as file:
            file.write(b"POISON")

    def judge(self, engine: str, poisoned: int = 0) -> dict[str, int]:
        """Compare sources, results and what was written down, after the last run has ended."""
        entries = list(self._entries(engine))
        last = {entry["target"]: entry for entry in entries}
        done = Counter((entry["target"], entry["source_sha256"]) for entry in entries if entry["state"] == "done")
        good = 0
        for photo in self.photos():
            entry = last.get(f"{photo.stem}.colour.png", {})
            target = self.out / f"{photo.stem}.colour.png"
            good += (
                target.exists()
                and sha256(target) == entry.get("target_sha256")
                and sha256(photo) == entry.get("source_sha256")
            )
        quarantined = sum(entry["state"] == "quarantined" for entry in last.values())
        return {
            "photographs": COUNT,
            "lost": COUNT - good - quarantined,
            "done twice": sum(count - 1 for count in done.values()),
            "quarantined": quarantined,
            "poisoned": poisoned,
            "rows missing": COUNT - len(last),
            "half-written": len(list(self.out.glob(".colorize-*"))),
        }

    def _entries(self, engine: str) -> Iterator[dict[str, Any]]:
        if engine == "jobs":
            for line in (self.out / NAME).read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("state") in ("done", "quarantined", "failed"):
                        yield {**entry, "target": Path(entry["target"]).name}
            return
        import pyarrow.parquet

        for path in sorted(self.out.glob("colorize-reports/*/*.parquet")):
            for entry in pyarrow.parquet.read_table(path).to_pylist():
                yield {**entry, "target": Path(entry["target"]).name}


def sha256(path: Path) -> str:
    """Return a file's checksum."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that colour."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = " ".join(child.cmdline())
            if "archive.worker" in words or "MapWorker" in words:
                found.append(child)
    return found


def killing_workers(archive: Archive, engine: str, every: int) -> dict[str, int]:
    """Kill a worker every so many files."""
    process = archive.start(engine)
    chance, mark, kills = random.Random(1), every, 0
    while process.poll() is None:
        if archive.written() >= mark and (workers := workers_of(process)):
            with contextlib.suppress(psutil.Error):
                chance.choice(workers).kill()
                kills += 1
            mark += every
        time.sleep(0.02)
    return {**archive.judge(engine), "kills": kills}


def killing_parents(archive: Archive, engine: str, times: int) -> dict[str, int]:
    """Kill the parent so many times, and run the same command again."""
    for n in range(times):
        process = archive.start(engine)
        while process.poll() is None and archive.written() < (n + 1) * COUNT // (times + 1):
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(5 if engine == "ray" else 0.5)
    archive.start(engine).wait()
    return {**archive.judge(engine), "kills": times}


def poisoned(archive: Archive, engine: str) -> dict[str, int]:
    """Colour where one photograph ends its process; a second run leaves it alone."""
    archive.poison()
    archive.start(engine).wait()
    archive.start(engine).wait()
    return archive.judge(engine, poisoned=1)


def changing(archive: Archive, engine: str) -> dict[str, int]:
    """Write other photographs over sources while they are coloured, then run again."""
    process = archive.start(engine)
    for n, photo in enumerate(archive.photos()[::10]):
        time.sleep(0.1)
        Image.fromarray(np.full((120, 160), n, np.uint8)).save(photo)
    process.wait()
    archive.start(engine).wait()
    return archive.judge(engine)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """Mount a file system of its own there; yields False where this system does not let us."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    is_there = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield is_there
    finally:
        if is_there:
            subprocess.run(["umount", str(folder)], check=True)


def disk(archive: Archive, options: str, mend: str) -> dict[str, int] | None:
    """Colour onto a disk that is full, or read-only; then mend it and run again."""
    with mounted(archive.out, options) as is_there:
        if not is_there:
            return None
        first = archive.start().wait()
        subprocess.run(["mount", "-o", f"remount,{mend}", str(archive.out)], check=True)
        written = archive.written()
        archive.start().wait()
        return {**archive.judge("jobs"), "exit code": first, "written before": written}


def faults() -> dict[str, dict[str, int]]:
    """Return the table: fault to counts."""
    cases: dict[str, Callable[[Archive], dict[str, int] | None]] = {
        "worker killed every 20 files": lambda a: killing_workers(a, "jobs", 20),
        "parent killed three times": lambda a: killing_parents(a, "jobs", 3),
        "a photograph that ends its process": lambda a: poisoned(a, "jobs"),
        "sources change meanwhile": lambda a: changing(a, "jobs"),
        "full disk": lambda a: disk(a, "size=1m", "size=64m"),
        "read-only target": lambda a: disk(a, "ro,size=64m", "rw"),
        "Ray: worker killed every 20 files": lambda a: killing_workers(a, "ray", 20),
        "Ray: driver killed once": lambda a: killing_parents(a, "ray", 1),
        "Ray: a photograph that ends its process": lambda a: poisoned(a, "ray"),
    }
    table = {}
    with tempfile.TemporaryDirectory() as name:
        model = write_tiny_model(Path(name) / "tiny.onnx")
        for n, (fault, case) in enumerate(cases.items()):
            result = case(Archive(Path(name) / str(n), model))
            if result is not None:
                table[fault] = result
                print(f"  {fault}: {result}", flush=True)
    return table


if __name__ == "__main__":
    faults()
