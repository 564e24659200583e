"""Backends: whatever can run a generator.  They share one small protocol, so that all are compared and tested alike."""

import importlib
import logging
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..contract import CHANNELS, INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA, OUTPUT_COLOURS, OUTPUT_DOUBT
from ..engine.gpu import find_gpus
from ..errors import BackendError, ModelError, OutOfMemoryError
from ..model import Model

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
    "tensorrt-rtx": "colorize_server.backends.tensorrt_backend:open_tensorrt_rtx",
    "tensorrt": "colorize_server.backends.tensorrt_backend:open_tensorrt",
    "cuda": "colorize_server.backends.onnxruntime_gpu:open_cuda",
    "openvino": "colorize_server.backends.openvino_backend:open_openvino",
}
"""Name to "module:function"; imported only when asked for, so that optional packages stay optional."""

GPU_BACKENDS: Final = ("tensorrt-rtx", "tensorrt", "cuda")
"""Those that need an NVIDIA GPU, best first."""

AUTO_ORDER: Final = (*GPU_BACKENDS, "onnxruntime")
"""What `auto` tries, best first.  Not openvino: in float32 it is no faster than onnxruntime."""


def open_backend(name: str, model: Model, *, device: int = 0, require_gpu: bool = False) -> Backend:
    """Load `model` into the backend called `name` ("auto" takes the best that works here).

    What was taken, and with "auto" what was not and why, stands in the backend's `reason` and in the log.

    Raises:
        BackendError: it cannot run here; the message says why and what to install.
        ModelError: the model breaks the contract.
    """
    if name != "auto":
        return _open(name, model, device, require_gpu=require_gpu)
    refusals: list[Refusal] = []
    # Asked once, and first: without a GPU nothing of what belongs to one is imported.
    gpus = find_gpus()
    if not gpus.gpus:
        refusals += [Refusal(candidate, gpus.why_none, gpus.hint) for candidate in GPU_BACKENDS]
    for candidate in AUTO_ORDER:
        if candidate in GPU_BACKENDS and not gpus.gpus:
            continue
        try:
            backend = _open(candidate, model, device, require_gpu=require_gpu)
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


def _open(name: str, model: Model, device: int, *, require_gpu: bool) -> Backend:
    if name not in BACKENDS:
        raise BackendError(f"There is no backend {name}.", f"Use one of auto, {', '.join(BACKENDS)}.")
    module, function = BACKENDS[name].split(":")
    backend: Backend = getattr(importlib.import_module(module), function)(model, device=device, require_gpu=require_gpu)
    return backend


def check_signature(
    model: Model, inputs: dict[str, tuple[str, list[object]]], outputs: dict[str, tuple[str, list[object]]]
) -> None:
    """Check names, types and channels of a loaded graph against the model contract.

    Args:
        model: for the message.
        inputs: name to (element type as ONNX Runtime or TensorRT spells float32, shape).
        outputs: likewise.

    Raises:
        ModelError: the model breaks the contract; the message names the tensor.
    """
    wanted = ({INPUT_LUMINANCE, INPUT_HINTS}, {OUTPUT_CHROMA, OUTPUT_DOUBT})
    for found, names, kind in ((inputs, wanted[0], "inputs"), (outputs, wanted[1], "outputs")):
        if set(found) - {OUTPUT_COLOURS} != names:
            raise ModelError(
                f"The model {model.path} has the {kind} {sorted(found)}, not {sorted(names)}.",
                "Only models from colorize-train export can be used.",
            )
        for name, (element, shape) in found.items():
            axes = "3, h, w" if name == OUTPUT_COLOURS else "H, W"
            rank = 5 if name == OUTPUT_COLOURS else 4
            if element != "float32" or len(shape) != rank or shape[1] != CHANNELS[name]:
                raise ModelError(
                    f"The model {model.path} has {name} as {element} {shape}, "
                    f"not float32 (N, {CHANNELS[name]}, {axes}).",
                    "Only models from colorize-train export can be used.",
                )
