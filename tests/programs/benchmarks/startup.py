"""How long the daemon takes until it is ready, against the least that any daemon must do."""

import statistics
import subprocess
import sys
import time
from typing import Any

from colorize_server.model import load_model, shipped_model_path

from benchmarks.daemon import running_daemon

ROUNDS = 5
_LEAST = """
import numpy, aiohttp, onnxruntime, sys
session = onnxruntime.InferenceSession(sys.argv[1])
side = int(sys.argv[2])
zeros = lambda channels: numpy.zeros((1, channels, side, side), numpy.float32)
session.run(None, {"luminance": zeros(1), "hints": zeros(3)})
"""


def run() -> dict[str, Any]:
    """Measure both in turn; the ratio of each pair, and its median."""
    path = shipped_model_path()
    side = load_model(path).card.sizes[0]
    ready, least = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _LEAST, str(path), str(side)], check=True)
        least.append(time.perf_counter() - began)
        with running_daemon() as daemon:
            ready.append(daemon.ready_s)
    ratios = [r / b for r, b in zip(ready, least, strict=True)]
    return {
        "ready_s": [round(t, 3) for t in ready],
        "imports_session_forward_s": [round(t, 3) for t in least],
        "bars": {"ready / (imports + session + forward pass)": [statistics.median(ratios), "<=", 1.3]},
    }
