"""CUDA through pycuda.  The only module that imports it."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..backends.gpu import count_like_nvidia_smi
from ..errors import BackendError, DeviceLostError
from ..installation.packages import install_command
from . import cuda_graph
from .cuda import CapturedGraph, DeviceMemoryError

_NEEDS: Final = {
    "win32": "it needs the CUDA Toolkit and the C++ Build Tools of Visual Studio",
    "linux": "it needs the CUDA Toolkit and a C++ compiler",
}


class PycudaDriver:
    """See `cuda.CudaDriver`.

    The primary context of the GPU is retained (the one that TensorRT's runtime uses), not one of our own.  To be
    created, used and closed on one thread.

    Args:
        device: index of the GPU in the order of the PCI bus, as nvidia-smi counts.

    Raises:
        BackendError: pycuda is not installed, or the GPU cannot be used.
    """

    def __init__(self, device: int) -> None:
        count_like_nvidia_smi()
        self._cuda = import_pycuda()
        try:
            self._cuda.init()
            ours = self._cuda.Device(device)
            self.name = str(ours.name())
            self._context = ours.retain_primary_context()
            self._context.push()
        except self._cuda.Error as error:
            raise BackendError(
                f"The graphics card {device} cannot be used: {error}.", "Run colorize-server doctor."
            ) from error
        self._stream = self._cuda.Stream()
        self.stream = int(self._stream.handle)

    def allocate(self, nbytes: int) -> "_DeviceBuffer":
        """See `CudaDriver.allocate`."""
        with self._in_our_words():
            return _DeviceBuffer(self._cuda.mem_alloc(max(1, nbytes)), nbytes)

    def allocate_pinned(self, count: int) -> "_PinnedBuffer":
        """See `CudaDriver.allocate_pinned`."""
        with self._in_our_words():
            return _PinnedBuffer(self._cuda.pagelocked_empty(max(1, count), np.float32))

    def copy_to_device(self, target: Any, source: NDArray[np.float32]) -> None:
        """See `CudaDriver.copy_to_device`."""
        with self._in_our_words():
            self._cuda.memcpy_htod_async(target.address, source, self._stream)

    def copy_to_host(self, target: NDArray[np.float32], source: Any) -> None:
        """See `CudaDriver.copy_to_host`."""
        with self._in_our_words():
            self._cuda.memcpy_dtoh_async(target, source.address, self._stream)

    def synchronize(self) -> None:
        """See `CudaDriver.synchronize`."""
        with self._in_our_words():
            self._stream.synchronize()

    def capture(self, enqueue: Callable[[], bool]) -> CapturedGraph | None:
        """See `CudaDriver.capture`."""
        graph = cuda_graph.capture(cuda_graph.driver_library(), self.stream, enqueue)
        return None if graph is None else _Graph(graph)

    def close(self) -> None:
        """See `CudaDriver.close`."""
        with contextlib.suppress(self._cuda.Error):
            del self._stream
            self._context.pop()
            self._context.detach()

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except self._cuda.MemoryError as error:
            raise DeviceMemoryError(str(error)) from error
        except self._cuda.Error as error:
            raise _lost(self.name, error) from error


class _DeviceBuffer:
    def __init__(self, allocation: Any, nbytes: int) -> None:
        self._allocation = allocation
        self.address = int(allocation)
        self.nbytes = nbytes

    def free(self) -> None:
        self._allocation.free()


class _PinnedBuffer:
    def __init__(self, array: NDArray[np.float32]) -> None:
        self.array = array

    def free(self) -> None:
        base: Any = self.array.base  # pycuda's owner of the memory
        base.free()


class _Graph:
    def __init__(self, graph: cuda_graph.StreamGraph) -> None:
        self._graph = graph

    def launch(self) -> None:
        try:
            self._graph.launch()
        except MemoryError as error:
            raise DeviceMemoryError(str(error)) from error
        except RuntimeError as error:
            raise _lost("The graphics card", error) from error

    def free(self) -> None:
        self._graph.free()


def _lost(name: str, error: Exception) -> DeviceLostError:
    return DeviceLostError(
        f"{name} failed: {error}.", "Try again; if it repeats, update the driver or use --backend onnxruntime."
    )


def import_pycuda() -> Any:
    """Import pycuda's driver module, without creating a context.

    Raises:
        BackendError: it is not installed or cannot be loaded; the message says what to do.
    """
    try:
        import pycuda.driver
    except ImportError as error:
        needs, mend = _NEEDS.get(sys.platform), install_command("pycuda")
        if needs is None:
            raise BackendError("pycuda does not exist for this system.", "Use --backend onnxruntime here.") from error
        if getattr(error, "name", None) in ("pycuda", "pycuda.driver"):
            raise BackendError("pycuda is not installed.", f"Install it: {mend} ({needs}).") from error
        raise BackendError(
            f"pycuda cannot be loaded: {error}.",
            f"Uninstall pycuda, then build it anew: {mend} ({needs}).",
        ) from error
    return pycuda.driver
