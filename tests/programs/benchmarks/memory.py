"""Memory: 100 megapixels within 2 GB, and a thousand requests that leave nothing behind."""

import threading
import time
from typing import Any

import numpy as np

from benchmarks.daemon import Daemon, running_daemon

GIGABYTE = 1 << 30
REQUESTS = 1000


class PeakPss:
    """Samples the daemon's memory on a thread and keeps the highest."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._stop = threading.Event()
        self.peak = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._stop.is_set():
            self.peak = max(self.peak, self._daemon.pss())
            time.sleep(0.05)

    def __enter__(self) -> "PeakPss":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def run() -> dict[str, Any]:
    """Measure both."""
    rng = np.random.default_rng(0)
    height, width = 8660, 11547
    large = rng.integers(0, 256, (height, width), dtype=np.uint8)
    answer = bytearray(height * width * 3)
    with running_daemon() as daemon, PeakPss(daemon) as watch:
        idle = daemon.pss()
        daemon.colorize(
            memoryview(large).cast("B"), memoryview(answer), width=width, height=height, channels=1, output="layer"
        )
    painted = np.frombuffer(answer, np.uint8).reshape(height, width, 3)
    if not np.ptp(painted[::50, ::50].astype(int), axis=-1).max():
        raise RuntimeError("the 100-megapixel answer has no colour")
    small = rng.integers(0, 256, (256, 256), dtype=np.uint8)
    with running_daemon() as daemon:
        levels = []
        for i in range(REQUESTS):
            daemon.colorize(small.tobytes(), width=256, height=256, channels=1)
            if i % 5 == 0:
                levels.append(daemon.pss())
    tenth = len(levels) // 10
    first, last = float(np.mean(levels[:tenth])), float(np.mean(levels[-tenth:]))
    return {
        "idle_mb": round(idle / 1e6),
        "megapixels": round(height * width / 1e6),
        "thousand_requests_mb": [round(first / 1e6, 1), round(last / 1e6, 1)],
        "bars": {
            "peak memory at 100 MP, GB": [watch.peak / GIGABYTE, "<=", 2],
            "memory, last 100 of 1000 requests / first 100": [last / first, "<=", 1.03],
        },
    }
