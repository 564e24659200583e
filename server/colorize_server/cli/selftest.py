"""``colorize-server selftest``: run sample photographs through a backend and compare with ONNX Runtime on the CPU."""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from ..backends import BACKENDS, Backend, open_backend
from ..errors import ColorizeError
from ..model import Model, load_model
from ..samples import NetworkInput, network_inputs, sample_paths
from ..tensorrt.difference import LARGEST_MEAN, LARGEST_P999, ChromaDifference, chroma_difference
from .model_option import add_model_option
from .own_models import model_of

_WARM_UP_RUNS: Final = 3
"""The first compiles, the second records a CUDA graph, the third replays it."""
_MAX_RUNS: Final = 50
_MIN_RUNS: Final = 5
_SECONDS_PER_SIZE: Final = 5.0


@dataclass(frozen=True)
class SizeReport:
    """How one network size did.

    Attributes:
        size: network short side.
        difference: from ONNX Runtime on the CPU; over the sample photographs, with and without hints.
        p50_ms: median of the forward pass of one photograph.
        p95_ms: its 95th percentile.
        images_per_s: photographs a second, one after the other.
        runs: forward passes timed.
    """

    size: int
    difference: ChromaDifference
    p50_ms: float
    p95_ms: float
    images_per_s: float
    runs: int

    @property
    def passes(self) -> bool:
        """Whether the colours are near enough."""
        return self.difference.p999 <= LARGEST_P999 and self.difference.mean <= LARGEST_MEAN


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "selftest",
        help="check a backend's colours and speed",
        description="Runs sample photographs through a backend, and compares its colours with ONNX Runtime on the "
        "processor.",
    )
    parser.add_argument("--backend", default="auto", metavar="X", help=f"auto (default), {', '.join(BACKENDS)}")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="number of the graphics card to use")
    add_model_option(parser)
    parser.add_argument("--json", action="store_true", help="print the numbers for programs")


def run(args: argparse.Namespace) -> int:
    """Print the numbers; the exit code is 0 if the backend passes."""
    model = load_model(model_of(args))
    if args.backend != "auto" and args.backend not in BACKENDS:
        raise ColorizeError(
            f"There is no backend {args.backend}.", f"Use one of auto, {', '.join(BACKENDS)}.", code="bad_parameter"
        )
    reference = open_backend("onnxruntime", model)
    backend = open_backend(args.backend, model, device=args.device)
    if not args.json:
        print(f"{model.card.name} {model.card.version} with {backend.name} on {backend.device}")
        print(backend.reason)
        print(f"{'size':>5} {'chroma difference':>24} {'latency':>24} {'speed':>12}")
        print(f"{'':>5} {'mean':>12} {'99.9 %':>11} {'p50':>12} {'p95':>11} {'images/s':>12}")
    reports = []
    try:
        for size in model.card.sizes:
            report = measure(backend, reference, model, size)
            reports.append(report)
            if not args.json:
                _print_row(report)
    finally:
        backend.close()
        reference.close()
    passes = all(report.passes for report in reports)
    if args.json:
        members = {
            "backend": backend.name,
            "device": backend.device,
            "reason": backend.reason,
            "model_sha256": model.sha256,
            "limits": {"mean": LARGEST_MEAN, "p999": LARGEST_P999},
            "sizes": [asdict(report) | {"passes": report.passes} for report in reports],
            "passes": passes,
        }
        print(json.dumps(members, indent=1))
    else:
        if backend.name == reference.name:
            print("This backend is the reference itself: only the times say something.")
        print(
            f"{'PASS' if passes else 'FAIL'}: at most {LARGEST_MEAN} on the average and {LARGEST_P999} at the 99.9th"
            " percentile are allowed, in a*b* units."
        )
    return 0 if passes else 1


def measure(backend: Backend, reference: Backend, model: Model, size: int) -> SizeReport:
    """Compare and time one network size.

    Raises:
        ColorizeError: a backend failed.
    """
    paths = sample_paths()
    multiple = model.card.multiple_of
    plain = network_inputs(paths, size, multiple)
    inputs = [*plain, *network_inputs(paths, size, multiple, with_hints=True)]
    difference = chroma_difference([(_chroma(backend, one), _chroma(reference, one)) for one in inputs])
    times_ms = _times_ms(backend, plain[0])
    return SizeReport(
        size=size,
        difference=difference,
        p50_ms=float(np.percentile(times_ms, 50)),
        p95_ms=float(np.percentile(times_ms, 95)),
        images_per_s=1000 * len(times_ms) / sum(times_ms),
        runs=len(times_ms),
    )


def _chroma(backend: Backend, one: NetworkInput) -> Any:
    return backend.run(one.luminance, one.hints)[0]


def _times_ms(backend: Backend, one: NetworkInput) -> list[float]:
    for _ in range(_WARM_UP_RUNS):
        backend.run(one.luminance, one.hints)
    times: list[float] = []
    end = time.perf_counter() + _SECONDS_PER_SIZE
    while len(times) < _MIN_RUNS or (len(times) < _MAX_RUNS and time.perf_counter() < end):
        began = time.perf_counter()
        backend.run(one.luminance, one.hints)
        times.append(1000 * (time.perf_counter() - began))
    return times


def _print_row(report: SizeReport) -> None:
    difference = report.difference
    print(
        f"{report.size:>5} {difference.mean:>12.4f} {difference.p999:>11.4f} {report.p50_ms:>9.1f} ms"
        f" {report.p95_ms:>8.1f} ms {report.images_per_s:>12.1f}",
        flush=True,
    )
