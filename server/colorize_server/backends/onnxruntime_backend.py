"""ONNX Runtime: on the CPU it runs everywhere; `onnxruntime_gpu` opens it on a GPU."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import onnxruntime

from ..contract import INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA, OUTPUT_COLOURS, OUTPUT_DOUBT
from ..errors import BackendError, CancelledError, ModelError, OutOfMemoryError
from ..model import Model, check_signature
from . import Tensor

CPU_PROVIDER = "CPUExecutionProvider"


@dataclass(frozen=True)
class SessionPlan:
    """Where a session shall run.

    Attributes:
        name: of the backend, as in `--backend`.
        device: for people.
        reason: why this backend was taken, in one sentence.
        wanted: execution provider that must be in use; a session that quietly took another one is refused.
        providers: passed to the session: execution providers, with or without options.
        configure: changes the session's options before it is made.
    """

    name: str
    device: str
    reason: str
    wanted: str
    providers: tuple[str | tuple[str, dict[str, str]], ...] | None
    configure: Callable[[onnxruntime.SessionOptions], None] = field(default=lambda options: None)


CPU_PLAN = SessionPlan(
    name="onnxruntime",
    device="CPU",
    reason="ONNX Runtime on the CPU works everywhere.",
    wanted=CPU_PROVIDER,
    providers=(CPU_PROVIDER,),
)


class OnnxRuntimeBackend:
    """A generator in an ONNX Runtime session; see `Backend`.

    Raises:
        ModelError: ONNX Runtime cannot load the model, or it breaks the contract.
        BackendError: the execution provider that was asked for is not in use.
    """

    def __init__(self, model: Model, plan: SessionPlan = CPU_PLAN) -> None:
        self.name = plan.name
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # The arena keeps the largest picture's memory for ever; a daemon that idles for weeks gives it back instead.
        options.enable_cpu_mem_arena = False
        plan.configure(options)
        try:
            providers = None if plan.providers is None else list(plan.providers)
            self._session = onnxruntime.InferenceSession(model.data, options, providers=providers)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            raise ModelError(
                f"ONNX Runtime cannot load the model {model.path}: {error}", "Export or copy the model again."
            ) from error
        check_signature(
            model, *(_described(nodes) for nodes in (self._session.get_inputs(), self._session.get_outputs()))
        )
        self.device = plan.device
        self.providers = tuple(self._session.get_providers())
        if plan.wanted not in self.providers:
            raise BackendError(
                f"ONNX Runtime was asked for {plan.wanted} and took {', '.join(self.providers)} instead.",
                "Run colorize-server doctor.",
            )
        self.reason = plan.reason
        self._lock = threading.Lock()
        self._running: onnxruntime.RunOptions | None = None

    def run(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run the generator; see `Backend.run`."""
        chroma, doubt = self._run([OUTPUT_CHROMA, OUTPUT_DOUBT], luminance, hints)
        return chroma, doubt

    def colours(self, luminance: Tensor, hints: Tensor) -> Tensor:
        """Run the generator for its suggestions; a model that has none must not be asked.

        Args:
            luminance: as for `run`.
            hints: as for `run`.

        Returns:
            (N, SUGGESTIONS, 3, H / COLOURS_STRIDE, W / COLOURS_STRIDE) float32, see `contract`.

        Raises:
            As `run`.
        """
        (colours,) = self._run([OUTPUT_COLOURS], luminance, hints)
        return colours

    def _run(self, outputs: list[str], luminance: Tensor, hints: Tensor) -> list[Tensor]:
        options = onnxruntime.RunOptions()
        with self._lock:
            self._running = options
        try:
            answer: list[Tensor] = self._session.run(
                outputs,
                {INPUT_LUMINANCE: np.ascontiguousarray(luminance), INPUT_HINTS: np.ascontiguousarray(hints)},
                options,
            )
        except Exception as error:  # see above
            if options.terminate:
                raise CancelledError("The work was cancelled.") from error
            if "bad_alloc" in str(error) or "Failed to allocate" in str(error):
                raise OutOfMemoryError(
                    "The network needs more memory than is left.", "Choose a smaller size, or close other programs."
                ) from error
            raise BackendError(
                f"ONNX Runtime failed: {error}", "Try again; if it repeats, run colorize-server doctor."
            ) from error
        finally:
            with self._lock:
                self._running = None
        return answer

    def cancel(self) -> None:
        """End the run under way, between two of its operators."""
        with self._lock:
            if self._running is not None:
                self._running.terminate = True

    def close(self) -> None:
        """Drop the session."""
        del self._session


def _described(nodes: list[onnxruntime.NodeArg]) -> dict[str, tuple[str, list[object]]]:
    types = {"tensor(float)": "float32"}
    return {n.name: (types.get(n.type, n.type), list(n.shape)) for n in nodes}


def open_onnxruntime(
    model: Model, *, device: int = 0, require_gpu: bool = False, threads: int | None = None
) -> OnnxRuntimeBackend:
    """Open the CPU backend; `device` has no meaning here.  `threads` of the session: None takes one for each core.

    Raises:
        BackendError: a GPU was required.
    """
    del device
    if require_gpu:
        raise BackendError("ONNX Runtime runs on the CPU here, and a GPU was required.", "Leave out --require-gpu.")

    def bound(options: onnxruntime.SessionOptions) -> None:
        if threads is not None:
            options.intra_op_num_threads = threads

    return OnnxRuntimeBackend(model, replace(CPU_PLAN, configure=bound))
