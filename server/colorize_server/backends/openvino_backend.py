"""OpenVINO on the processor.  The only module that imports it; an optional backend.

It computes in float32.  Left to itself it takes bfloat16 where the processor has it, which is 1.9 times as fast as ONNX
Runtime but moves colours by up to 4 a*b* units: the same photograph would look different on another machine.
"""

import threading

import numpy as np

from ..contract import INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA, OUTPUT_COLOURS, OUTPUT_DOUBT
from ..errors import BackendError, CancelledError, ModelError, OutOfMemoryError
from ..installation.packages import install_command
from ..model import Model, check_signature
from . import Tensor


class OpenVinoBackend:
    """A generator compiled by OpenVINO; see `Backend`.

    Raises:
        BackendError: OpenVINO is not installed.
        ModelError: it cannot load the model, or the model breaks the contract.
    """

    name = "openvino"
    device = "CPU"
    providers: tuple[str, ...] = ()

    def __init__(self, model: Model, threads: int | None = None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise BackendError("OpenVINO is not installed.", f"Install it: {install_command('openvino')}.") from error
        core = openvino.Core()
        try:
            network = core.read_model(model.data, b"")
            for port in network.outputs:
                if OUTPUT_COLOURS in port.names:  # it would be computed for every picture
                    network.remove_result(port.node)
            hints: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
            if threads is not None:
                hints["INFERENCE_NUM_THREADS"] = threads
            compiled = core.compile_model(network, "CPU", hints)
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot load the model {model.path}: {error}", "Use --backend onnxruntime."
            ) from error
        names = {"f32": "float32"}
        described = [
            {
                port.get_any_name(): (
                    names.get(port.get_element_type().get_type_name(), str(port.get_element_type())),
                    [d.get_length() if d.is_static else -1 for d in port.get_partial_shape()],
                )
                for port in ports
            }
            for ports in (compiled.inputs, compiled.outputs)
        ]
        check_signature(model, described[0], described[1])
        self._request = compiled.create_infer_request()
        arithmetic = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.reason = f"OpenVINO {openvino.__version__.split('-')[0]} on the CPU, computing in {arithmetic}."
        self._lock = threading.Lock()
        self._is_running = False
        self._cancelled = False

    def run(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run the generator; see `Backend.run`."""
        with self._lock:
            self._is_running, self._cancelled = True, False
        try:
            answer = self._request.infer(
                {INPUT_LUMINANCE: np.ascontiguousarray(luminance), INPUT_HINTS: np.ascontiguousarray(hints)}
            )
        except RuntimeError as error:
            if self._cancelled:
                raise CancelledError("The work was cancelled.") from error
            if "alloc" in str(error).lower():
                raise OutOfMemoryError(
                    "The network needs more memory than is left.", "Choose a smaller size, or close other programs."
                ) from error
            raise BackendError(f"OpenVINO failed: {error}", "Use --backend onnxruntime.") from error
        finally:
            with self._lock:
                self._is_running = False
        if self._cancelled:
            raise CancelledError("The work was cancelled.")
        # Copies: the request writes its next answer over this one.
        return answer[OUTPUT_CHROMA].copy(), answer[OUTPUT_DOUBT].copy()

    def cancel(self) -> None:
        """End the run under way, between two of its operators."""
        with self._lock:
            if self._is_running:
                self._cancelled = True
                self._request.cancel()

    def close(self) -> None:
        """Drop the compiled network."""
        del self._request


def open_openvino(
    model: Model, *, device: int = 0, require_gpu: bool = False, threads: int | None = None
) -> OpenVinoBackend:
    """Open the backend; `device` has no meaning here.  `threads` that it may use: None leaves it the choice.

    Raises:
        BackendError: a GPU was required, or OpenVINO is not installed.
    """
    del device
    if require_gpu:
        raise BackendError("OpenVINO runs on the CPU here, and a GPU was required.", "Leave out --require-gpu.")
    return OpenVinoBackend(model, threads)
