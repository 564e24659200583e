"""One section of the benchmark in a process of its own."""

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any


def measure(module: str) -> dict[str, Any]:
    """Run a section in this process."""
    section: dict[str, Any] = importlib.import_module(module).run()
    return section


def measure_apart(module: str) -> dict[str, Any]:
    """Run a section in a new process: threads and native libraries of one must not weigh on the next."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, module).result()
        except BrokenProcessPool:
            return {"bars": {"the section crashed": [1, "<=", 0]}}
