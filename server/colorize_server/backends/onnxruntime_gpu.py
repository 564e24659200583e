"""ONNX Runtime on a GPU: its CUDA execution provider."""

import contextlib
from typing import Final

import onnxruntime

from ..errors import BackendError
from ..installation.packages import install_command
from ..model import Model
from .gpu import choose_gpu
from .onnxruntime_backend import CPU_PROVIDER, OnnxRuntimeBackend, SessionPlan

CUDA_PROVIDER: Final = "CUDAExecutionProvider"


def open_cuda(model: Model, *, device: int = 0, require_gpu: bool = False) -> OnnxRuntimeBackend:
    """Open ONNX Runtime's CUDA execution provider.

    Raises:
        BackendError: there is no GPU, or this ONNX Runtime was built without the provider.
    """
    del require_gpu  # it is one
    gpu = choose_gpu(device)
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        # Both packages hold the module: installed side by side, one overwrites half of the other.
        raise BackendError(
            "This ONNX Runtime was built without CUDA.",
            f"Remove the package onnxruntime, then: {install_command('onnxruntime-gpu')}.",
        )
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:  # finds the CUDA libraries that pip installed
        with contextlib.suppress(Exception):  # what is missing, the session says better
            preload()
    plan = SessionPlan(
        name="cuda",
        device=gpu.name,
        reason=f"ONNX Runtime {onnxruntime.__version__} with CUDA on {gpu.name}.",
        wanted=CUDA_PROVIDER,
        providers=((CUDA_PROVIDER, {"device_id": str(device)}), CPU_PROVIDER),
    )
    return OnnxRuntimeBackend(model, plan)
