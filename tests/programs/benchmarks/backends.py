"""One network in PyTorch eager, ONNX Runtime and OpenVINO, side by side on the processor, for each network size.

OpenVINO runs twice: in float32 as the backend uses it, and as it comes, which is bfloat16 where the processor has it.

The three take turns, so that whatever else the machine does slows all of them alike; the ratios are medians over pairs
of neighbouring runs.  PyTorch runs the shipped model's architecture with random weights: they cost the same.
"""

import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from colorize_server.backends.onnxruntime_backend import OnnxRuntimeBackend
from colorize_server.backends.openvino_backend import OpenVinoBackend
from colorize_server.contract import INPUT_HINTS, INPUT_LUMINANCE
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.samples import network_inputs, sample_paths

SECONDS_PER_SIZE: Final = 20.0
MIN_ROUNDS: Final = 5
MAX_ROUNDS: Final = 40
WORTH_A_BACKEND: Final = 1.3
"""OpenVINO becomes an optional backend if it is so many times as fast as ONNX Runtime at the default size."""

Run = Callable[[np.ndarray, np.ndarray], Any]


def _pytorch(model: Model) -> Run:
    import torch
    from colorize_training.networks.unet256 import UNet256
    from colorize_training.networks.unet_efficientnet import UNetEfficientNet

    is_unet = model.card.rest.get("training", {}).get("network") == "unet256"
    network = (UNet256() if is_unet else UNetEfficientNet()).eval()

    def run(luminance: np.ndarray, hints: np.ndarray) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(luminance), torch.from_numpy(hints))

    return run


def _onnxruntime(model: Model) -> Run:
    return OnnxRuntimeBackend(model).run


def _openvino(model: Model) -> Run:
    return OpenVinoBackend(model).run


def _openvino_as_it_comes(model: Model) -> Run:
    import openvino

    core = openvino.Core()
    hints = {"PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(model.data, b""), "CPU", hints)
    request = compiled.create_infer_request()

    def run(luminance: np.ndarray, hints: np.ndarray) -> Any:
        return request.infer({INPUT_LUMINANCE: luminance, INPUT_HINTS: hints})

    return run


OPENERS: Final[dict[str, Callable[[Model], Run]]] = {
    "pytorch": _pytorch,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "openvino-as-it-comes": _openvino_as_it_comes,
}
MODULES: Final = {
    "pytorch": "torch",
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "openvino-as-it-comes": "openvino",
}


def _compare(runs: dict[str, Run], luminance: np.ndarray, hints: np.ndarray) -> dict[str, list[float]]:
    """Return milliseconds of each run of each engine, taken in turns."""
    for run in runs.values():
        for _ in range(2):
            run(luminance, hints)
    times: dict[str, list[float]] = {name: [] for name in runs}
    end = time.perf_counter() + SECONDS_PER_SIZE
    for rounds in range(MAX_ROUNDS):
        if rounds >= MIN_ROUNDS and time.perf_counter() > end:
            break
        for name, run in runs.items():
            began = time.perf_counter()
            run(luminance, hints)
            times[name].append(1000 * (time.perf_counter() - began))
    return times


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def run() -> dict[str, Any]:
    """Measure."""
    model = load_model(shipped_model_path())
    present = [name for name in OPENERS if importlib.util.find_spec(MODULES[name]) is not None]
    runs = {name: OPENERS[name](model) for name in present}
    sizes: dict[str, Any] = {}
    for size in model.card.sizes:
        one = network_inputs(sample_paths()[:1], size, model.card.multiple_of)[0]
        times = _compare(runs, one.luminance, one.hints)
        sizes[str(size)] = {
            "input": list(one.luminance.shape[2:]),
            "rounds": len(times["onnxruntime"]),
            **{
                name: {"p50_ms": float(np.percentile(t, 50)), "p95_ms": float(np.percentile(t, 95))}
                for name, t in times.items()
            },
            "times_as_fast_as_onnxruntime": {
                name: _ratio(times["onnxruntime"], t) for name, t in times.items() if name != "onnxruntime"
            },
        }
    report: dict[str, Any] = {
        "model_sha256": model.sha256,
        "default_size": model.card.default_size,
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "missing": [name for name in OPENERS if name not in present],
        "sizes": sizes,
        "bars": {},
    }
    if "openvino" in present:
        ratio = sizes[str(model.card.default_size)]["times_as_fast_as_onnxruntime"]["openvino"]
        report["openvino_is_worth_a_backend"] = ratio > WORTH_A_BACKEND
        report["openvino"] = OpenVinoBackend(model).reason
    return report


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=1))
