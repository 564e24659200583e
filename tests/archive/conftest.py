"""Fixtures of the tests of archives."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from colorize_server.archive.batch import Means, Report, colorize_files
from colorize_server.archive.entry import Entry
from colorize_server.archive.plan import BatchOptions, Job
from colorize_server.cli.colorize import main
from colorize_server.picture.options import Options, Output
from PIL import Image

FAULTY_WORKER = (sys.executable, "-P", str(Path(__file__).parent / "faulty_worker.py"))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


@pytest.fixture
def draw(scans: Path) -> Callable[[str], Path]:
    """Return what draws a small photograph of its own, by its name below `scans`."""

    def draw_one(name: str) -> Path:
        path = scans / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(sum(name.encode())).integers(0, 256, (30, 40), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        return path

    return draw_one


@pytest.fixture
def run(tiny_model_path: Path) -> Callable[..., int]:
    """Return the command ``colorize`` with the tiny model."""
    return lambda *arguments: main([str(a) for a in arguments] + ["--model", str(tiny_model_path)])


@pytest.fixture
def colour(tmp_path: Path, tiny_model_path: Path) -> Callable[..., tuple[Report, list[Entry]]]:
    """Return what colours photographs into `out` with two workers that can be struck, keeping a journal there."""

    def call(sources: list[Path], workers: int = 2, **wanted: bool) -> tuple[Report, list[Entry]]:
        out = tmp_path / "out"
        jobs = [Job(path, out / f"{path.stem}.colour.png") for path in sources]
        told: list[Entry] = []
        means = Means("onnxruntime", tiny_model_path, workers, out / "journal.jsonl", FAULTY_WORKER)
        batch = BatchOptions(Options(output=Output.COMPOSITE), quick=True, **wanted)
        return colorize_files(jobs, batch, means, tell=told.append), told

    return call


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[dict[str, object]]]:
    """Return what reads the journal of `colour`."""
    return lambda: [json.loads(line) for line in (tmp_path / "out" / "journal.jsonl").read_bytes().splitlines()]
