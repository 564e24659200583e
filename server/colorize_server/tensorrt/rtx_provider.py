"""TensorRT for RTX as ONNX Runtime's plug-in execution provider: engines without pycuda."""

import logging
from typing import Any, Final

import onnxruntime

from ..backends.gpu import choose_gpu
from ..backends.onnxruntime_backend import OnnxRuntimeBackend, SessionPlan
from ..errors import BackendError
from ..installation.packages import install_command
from ..model import Model
from . import rtx_library
from .cache import cache_folder

_LOG = logging.getLogger(__name__)
RTX_PROVIDER: Final = "NvTensorRTRTXExecutionProvider"


def open_rtx_provider(model: Model, *, device: int = 0) -> OnnxRuntimeBackend:
    """Open TensorRT for RTX as ONNX Runtime's plug-in execution provider: needs neither pycuda nor a compiler.

    It computes in the precision of the file, float32.

    Raises:
        BackendError: there is no GPU, or the provider is not installed or does not work here.
    """
    gpu = choose_gpu(device)
    found = rtx_devices()
    if device >= len(found):
        raise BackendError(
            f"TensorRT for RTX finds {len(found)} graphics cards that it supports, and number {device} was asked for.",
            "It supports GeForce RTX 20 and later; for data-centre cards use --backend tensorrt.",
        )
    provider_options = kernel_cache_options()

    def configure(options: onnxruntime.SessionOptions) -> None:
        options.add_provider_for_devices([found[device]], provider_options)

    plan = SessionPlan(
        name="tensorrt-rtx",
        device=gpu.name,
        reason=f"TensorRT for RTX through ONNX Runtime {onnxruntime.__version__} on {gpu.name}.",
        wanted=RTX_PROVIDER,
        providers=None,
        configure=configure,
    )
    return OnnxRuntimeBackend(model, plan)


def kernel_cache_options() -> dict[str, str]:
    """Return the provider's options that keep compiled kernels on disk; none where that cannot be written to."""
    folder = cache_folder() / "rtx-provider"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _LOG.warning("%s cannot be made (%s): kernels are compiled at every start", folder, error.strerror)
        return {}
    return {"nv_runtime_cache_path": str(folder)}


def rtx_devices() -> list[Any]:
    """Register the plug-in provider and return the devices that it offers.

    Raises:
        BackendError: it is not installed, or needs a driver that is not there.
    """
    folder = rtx_library.preload()
    pattern = "*onnxruntime_providers_nv_tensorrt_rtx.*"
    libraries = [path for path in sorted(folder.glob(pattern)) if path.suffix in (".so", ".dll")]
    if not libraries:
        raise BackendError(
            "The execution provider of TensorRT for RTX is not installed.",
            f"Install it: {install_command(rtx_library.EXTRA)}.",
        )
    if not any(one.ep_name == RTX_PROVIDER for one in onnxruntime.get_ep_devices()):
        try:
            onnxruntime.register_execution_provider_library(RTX_PROVIDER, str(libraries[0]))
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            said = str(error).rpartition("with error: ")[2]
            raise BackendError(
                f"The execution provider of TensorRT for RTX cannot be loaded: {said}.",
                "Install the current NVIDIA driver, then run colorize-server doctor.",
            ) from error
    return [one for one in onnxruntime.get_ep_devices() if one.ep_name == RTX_PROVIDER]
