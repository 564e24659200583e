"""What a run will take: counts and pixels from headers, time and room from ten photographs that are really coloured."""

import dataclasses
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..model import load_model, shipped_model_path
from .batch import Means, colorize_files, plan_workers
from .entry import Entry, State
from .plan import BatchOptions, Job
from .room import pixels_of

SAMPLE: Final = 10


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        photographs: how many there are.
        unreadable: how many have a header that cannot be read.
        existing: how many results are there already.
        megapixels: of all photographs.
        workers: processes that will work.
        sampled: photographs that were coloured for this.
        failed: how many of these could not be.
        seconds: for all, where any was coloured.
        megabytes: of all results, likewise.
        free_megabytes: on the disk of the results.
    """

    photographs: int
    unreadable: int
    existing: int
    megapixels: float
    workers: int
    sampled: int
    failed: int
    seconds: float | None
    megabytes: float | None
    free_megabytes: float


def estimate(jobs: list[Job], batch: BatchOptions, means: Means) -> Estimate:
    """Look at all photographs' headers, and colour ten of them into a folder that is removed again.

    Raises:
        ModelError, BackendError, SizeNotOfferedError: nothing can be coloured at all.
    """
    sizes = {job.source: pixels_of(job.source) for job in jobs}
    pixels = {source: size[0] * size[1] for source, size in sizes.items() if size is not None}
    step = max(1, len(jobs) // SAMPLE)
    sample = jobs[::step][:SAMPLE]
    model = load_model(means.model or shipped_model_path())
    workers = plan_workers(len(jobs), model.path, means).count
    entries: list[Entry] = []
    with tempfile.TemporaryDirectory(prefix="colorize-") as folder:
        trial = [
            dataclasses.replace(job, target=Path(folder) / f"{number}{job.target.suffix}")
            for number, job in enumerate(sample)
        ]
        single = dataclasses.replace(batch, skip_existing=False, doubt=None)
        like_the_run = dataclasses.replace(means, journal=None, workers=workers)
        colorize_files(trial, single, like_the_run, tell=entries.append)
        done = [entry for entry in entries if entry.state is State.DONE]
        written = sum(Path(entry.target).stat().st_size for entry in done)
    known = sum(entry.width * entry.height for entry in done)
    total = sum(pixels.values())
    return Estimate(
        len(jobs),
        len(jobs) - len(pixels),
        sum(job.target.exists() for job in jobs),
        total / 1e6,
        workers,
        len(entries),
        len(entries) - len(done),
        _seconds(done, list(pixels.values())) / workers if done else None,
        written / known * total / 1e6 if known else None,
        shutil.disk_usage(_existing(jobs[0].target.parent)).free / 1e6,
    )


def _seconds(done: list[Entry], pixels: list[int]) -> float:
    """Return the seconds of one worker for photographs of these sizes: so much for each, and so much a pixel."""
    sizes = np.array([entry.width * entry.height for entry in done], np.float64)
    seconds = np.array([entry.seconds for entry in done])
    each, per_pixel = float(np.median(seconds)), 0.0
    if np.ptp(sizes) > 0.1 * sizes.mean():
        per_pixel, each = (float(value) for value in np.polyfit(sizes, seconds, 1))
    return sum(max(each + per_pixel * size, float(seconds.min()) / 2) for size in pixels)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
