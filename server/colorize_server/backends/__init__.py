"""Backends: whatever can run a generator.  They share one small protocol, so that all are compared and tested alike."""

import importlib
import logging
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, OutOfMemoryError
from ..model import Model
from .gpu import find_gpus

Tensor = NDArray[np.float32]

_LOG = logging.getLogger(__name__)


class Backend(Protocol):
    """A model that is loaded and can be run by one thread at a time.

    Attributes:
        name: as in `--backend`.
        device: what it runs on, for people.
        providers: execution providers in use, best first (empty where the word has no meaning).
        reason: why this backend was taken, in one sentence.
    """

    name: str
    device: str
    providers: tuple[str, ...]
    reason: str

    def run(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run the generator.

        Args:
            luminance: (N, 1, H, W) float32, see `contract`.
            hints: (N, 3, H, W) float32.

        Returns:
            chroma (N, 2, H, W) and doubt (N, 1, H, W), float32; the caller owns them.

        Raises:
            CancelledError: `cancel` was called while it ran.
            BackendError: it failed.
        """

    def cancel(self) -> None:
        """End a run under way as soon as possible; thread-safe; without effect when none is."""

    def close(self) -> None:
        """Free what it holds."""


BACKENDS: Final[dict[str, str]] = {
    "onnxruntime": "colorize_server.backends.onnxruntime_backend:open_onnxruntime",
    "tensorrt-rtx": "colorize_server.tensorrt.backend:open_tensorrt_rtx",
    "tensorrt": "colorize_server.tensorrt.backend:open_tensorrt",
    "cuda": "colorize_server.backends.onnxruntime_gpu:open_cuda",
    "openvino": "colorize_server.backends.openvino_backend:open_openvino",
}
"""Name to "module:function"; imported only when asked for, so that optional packages stay optional."""

GPU_BACKENDS: Final = ("tensorrt-rtx", "tensorrt", "cuda")
"""Those that need an NVIDIA GPU, best first."""

AUTO_ORDER: Final = (*GPU_BACKENDS, "onnxruntime")
"""What `auto` tries, best first.  Not openvino: in float32 it is no faster than onnxruntime."""


def open_backend(
    name: str, model: Model, *, device: int = 0, require_gpu: bool = False, threads: int | None = None
) -> Backend:
    """Load `model` into the backend called `name` ("auto" takes the best that works here).

    What was taken, and with "auto" what was not and why, stands in the backend's `reason` and in the log.
    `threads` bounds those of a backend on the processor; None leaves it the choice.

    Raises:
        BackendError: it cannot run here; the message says why and what to install.
        ModelError: the model breaks the contract.
    """
    if name != "auto":
        return _open(name, model, device, require_gpu=require_gpu, threads=threads)
    refusals: list[Refusal] = []
    # Asked once, and first: without a GPU nothing of what belongs to one is imported.
    gpus = find_gpus()
    if not gpus.gpus:
        refusals += [Refusal(candidate, gpus.why_none, gpus.hint) for candidate in GPU_BACKENDS]
    for candidate in AUTO_ORDER:
        if candidate in GPU_BACKENDS and not gpus.gpus:
            continue
        try:
            backend = _open(candidate, model, device, require_gpu=require_gpu, threads=threads)
        except (BackendError, OutOfMemoryError) as error:
            refusals.append(Refusal(candidate, error.message, error.hint))
            continue
        if refusals:
            backend.reason = f"{backend.reason} Not taken: {in_words(refusals)}"
        _LOG.info("takes %s on %s: %s", backend.name, backend.device, backend.reason)
        return backend
    raise BackendError(
        f"No {'graphics card' if require_gpu else 'backend'} can be used: {in_words(refusals)}",
        "Leave out --require-gpu, or run colorize-server doctor." if require_gpu else "Run colorize-server doctor.",
    )


@dataclass(frozen=True)
class Refusal:
    """A backend that cannot run here.

    Attributes:
        name: as in `--backend`.
        why: one sentence.
        hint: what to do about it.
    """

    name: str
    why: str
    hint: str


def in_words(refusals: list[Refusal]) -> str:
    """List refusals, those of one reason together."""
    names_by_reason: dict[str, list[str]] = {}
    for refusal in refusals:
        names_by_reason.setdefault(refusal.why, []).append(refusal.name)
    return " ".join(f"{', '.join(names)}: {why}" for why, names in names_by_reason.items())


def _open(name: str, model: Model, device: int, *, require_gpu: bool, threads: int | None) -> Backend:
    if name not in BACKENDS:
        raise BackendError(f"There is no backend {name}.", f"Use one of auto, {', '.join(BACKENDS)}.")
    module, function = BACKENDS[name].split(":")
    open_it = getattr(importlib.import_module(module), function)
    bound = {} if threads is None or name in GPU_BACKENDS else {"threads": threads}
    backend: Backend = open_it(model, device=device, require_gpu=require_gpu, **bound)
    return backend
