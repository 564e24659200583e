"""Archives: several processes against one, Ray against them, memory, and a table of what faults lose (nothing).

COLORIZE_ARCHIVE_COUNTS names how many small and large pictures there are (default: 500,20).
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.archive_faults import faults

PHOTOGRAPHS = Path(__file__).parents[2] / "photographs"
ROUNDS = 4
SMALL, LARGE = (640, 480), (6000, 4000)
COLORIZE = [sys.executable, "-m", "colorize_server.cli.colorize"]
ARCHIVE = [sys.executable, "-W", "ignore", "-m", "colorize_server.cli.archive"]


def draw(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Draw grey photographs of a size, each of its own."""
    folder.mkdir()
    photo = Image.open(sorted(PHOTOGRAPHS.glob("*.jpg"))[0]).convert("L").resize(size)
    for n in range(count):
        grain = np.random.default_rng(n).normal(0, 4, size[::-1])
        Image.fromarray(np.clip(np.asarray(photo) + grain, 0, 255).astype(np.uint8)).save(folder / f"{n:04}.jpg")
    return folder


@dataclass
class Taken:
    """What a run took: files a second after its start, CPU seconds a file, memory of all its processes."""

    per_s: float
    cpu_s: float
    peak_bytes: int
    network_share: float


def measure(command: list[str], out: Path, count: int) -> Taken:
    """Run a command to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            try:
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                peak = max(peak, sum(member.memory_full_info().pss for member in family))
            except psutil.Error:
                pass
            time.sleep(0.25)

    watching = threading.Thread(target=watch)
    watching.start()
    _, said = process.communicate()
    watching.join()
    if process.returncode:
        raise RuntimeError(f"{command} failed: {said.decode()[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    written = sorted(path.stat().st_mtime for path in out.rglob("*.png"))
    assert len(written) == count
    share = 0.0
    journal = out / "colorize-journal.jsonl"
    if journal.exists():
        done = [line for line in map(json.loads, journal.open()) if line.get("state") == "done"]
        share = sum(line["network_s"] for line in done) / sum(line["seconds"] for line in done)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken((count - 1) / (written[-1] - written[0]), cpu / count, peak, share)


def run() -> dict[str, Any]:
    """Measure in turns, so that what else the machine does weighs on all alike."""
    small, large = map(int, os.environ.get("COLORIZE_ARCHIVE_COUNTS", "500,20").split(","))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = [draw(folder / f"small-{n}", small // ROUNDS, SMALL) for n in range(ROUNDS)]
        kinds: dict[str, list[Taken]] = {"1": [], "auto": [], "ray": []}
        for n, source in enumerate(sets):
            manifest = folder / f"{n}.csv"
            rows = [f"{path.stem},{path},{path.stem}.png\n" for path in sorted(source.iterdir())]
            manifest.write_text("id,source,target\n" + "".join(rows))
            for kind, taken in kinds.items():
                out = folder / f"out-{n}-{kind}"
                command = [*COLORIZE, str(source), "-o", str(out), "--jobs", kind]
                if kind == "ray":
                    command = [*ARCHIVE, str(manifest), "--out", str(out)]
                taken.append(measure(command, out, small // ROUNDS))
        big = draw(folder / "large", large, LARGE)
        large_taken = {
            kind: measure(
                [*COLORIZE, str(big), "-o", str(folder / f"large-{kind}"), "--jobs", kind],
                folder / f"large-{kind}",
                large,
            )
            for kind in ("1", "auto")
        }
    ratios = [many.per_s / one.per_s for one, many in zip(kinds["1"], kinds["auto"], strict=True)]
    overheads = [many.per_s / ray.per_s - 1 for many, ray in zip(kinds["auto"], kinds["ray"], strict=True)]
    table = faults()
    lost = sum(row["lost"] + row["done twice"] + row["rows missing"] for row in table.values())
    wrongly = sum(row["quarantined"] != row["poisoned"] for row in table.values())
    return {
        "small_per_s": {kind: [round(taken.per_s, 2) for taken in runs] for kind, runs in kinds.items()},
        "small_cpu_s_per_file": {
            kind: round(statistics.mean(t.cpu_s for t in runs), 3) for kind, runs in kinds.items() if kind != "ray"
        },
        "small_network_share": round(statistics.mean(t.network_share for t in kinds["auto"]), 2),
        "large_per_s": {kind: round(taken.per_s, 3) for kind, taken in large_taken.items()},
        "large_cpu_s_per_file": {kind: round(taken.cpu_s, 2) for kind, taken in large_taken.items()},
        "large_network_share": round(large_taken["auto"].network_share, 3),
        "peak_mb": {
            "small, auto": round(max(t.peak_bytes for t in kinds["auto"]) / 1e6),
            "large, 1": round(large_taken["1"].peak_bytes / 1e6),
            "large, auto": round(large_taken["auto"].peak_bytes / 1e6),
        },
        "ray_overhead": [round(value, 2) for value in overheads],
        "faults": table,
        "bars": {
            "small files a second, --jobs auto / --jobs 1": [statistics.median(ratios), ">=", 1.5],
            "photographs lost, done twice or missing under faults": [lost, "<=", 0],
            "faults after which others than the poisoned are quarantined": [wrongly, "<=", 0],
        },
    }
