"""The TensorRT backends: an engine on a GPU, driven by one thread that owns everything CUDA."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..backends import Backend, Tensor
from ..backends.gpu import choose_gpu
from ..errors import BackendError, CancelledError, DeviceLostError
from ..model import Model
from .cache import kernels_path
from .cuda import CudaDriver
from .flavours import CLASSIC, RTX, Flavour, KernelCache
from .library import Library, version_of
from .provide import provide_engine
from .runner import EngineRunner

_LOG = logging.getLogger(__name__)

OpenDriver = Callable[[int], CudaDriver]
"""Takes the index of a GPU; called on the thread that will use the driver."""


class TensorRtBackend:
    """A generator as a TensorRT engine; see `Backend`.

    Args:
        model: what the engine was built from.
        flavour: which TensorRT.
        library: `flavour`'s.
        engine: the serialised engine.
        kernels: compiled kernels on disk.
        open_driver: opens the GPU.
        device: its index.
        note: what is worth knowing about the engine, in words; may be empty.

    Raises:
        BackendError: the GPU cannot be used or the engine does not fit it.
    """

    def __init__(
        self,
        model: Model,
        flavour: Flavour,
        library: Library,
        engine: bytes,
        kernels: KernelCache,
        open_driver: OpenDriver,
        device: int,
        note: str = "",
    ) -> None:
        self.name = flavour.backend
        self.providers: tuple[str, ...] = ()
        self._cancelled = threading.Event()
        self._is_running = False
        self._lock = threading.Lock()
        # CUDA's current context belongs to a thread: this one opens, runs and closes.
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="gpu")
        self._lost: DeviceLostError | None = None

        def open_all() -> tuple[CudaDriver, EngineRunner]:
            driver = open_driver(device)
            try:
                return driver, EngineRunner(model, flavour, library, engine, driver, kernels)
            except BaseException:
                driver.close()
                raise

        try:
            self._driver, self._runner = self._owner.submit(open_all).result()
        except BaseException:
            self._owner.shutdown()
            raise
        self.device = self._driver.name
        self.reason = f"{flavour.title} {version_of(library)} on {self.device}. {note}".strip()

    def run(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run the generator; see `Backend.run`."""
        if self._lost is not None:
            raise self._lost
        with self._lock:
            self._cancelled.clear()
            self._is_running = True
        try:
            answer = self._owner.submit(self._runner.run, luminance, hints).result()
        except DeviceLostError as error:
            _LOG.error("the graphics card is lost to this process: %s", error)
            self._lost = error
            raise
        finally:
            with self._lock:
                self._is_running = False
        if self._cancelled.is_set():
            raise CancelledError("The work was cancelled.")
        return answer

    def cancel(self) -> None:
        """Have the run under way end as cancelled; what is on the GPU already takes milliseconds to finish."""
        with self._lock:
            if self._is_running:
                self._cancelled.set()

    def close(self) -> None:
        """Free what it holds."""

        def close_all() -> None:
            if self._lost is None:
                self._runner.close()
            self._driver.close()

        self._owner.submit(close_all).result()
        self._owner.shutdown()


def _open_pycuda(device: int) -> CudaDriver:
    from .pycuda_driver import PycudaDriver

    return PycudaDriver(device)


def open_tensorrt_rtx(model: Model, *, device: int = 0, require_gpu: bool = False) -> Backend:
    """Open TensorRT for RTX: through pycuda, or through ONNX Runtime where pycuda is not installed.

    Raises:
        BackendError: there is no GPU, or something is not installed.
    """
    del require_gpu  # it is one
    choose_gpu(device)
    library = RTX.load()
    from .pycuda_driver import import_pycuda

    try:
        import_pycuda()
    except BackendError as error:
        from .rtx_provider import open_rtx_provider

        backend = open_rtx_provider(model, device=device)
        backend.reason = f"{backend.reason} Not through pycuda: {error.message}"
        return backend
    return _open(model, RTX, library, device)


def open_tensorrt(model: Model, *, device: int = 0, require_gpu: bool = False) -> Backend:
    """Open TensorRT.

    Raises:
        BackendError: there is no GPU, something is not installed, or the engine must be built first.
    """
    del require_gpu  # it is one
    choose_gpu(device)
    library = CLASSIC.load()
    from .pycuda_driver import import_pycuda

    import_pycuda()
    return _open(model, CLASSIC, library, device)


def _open(model: Model, flavour: Flavour, library: Library, device: int) -> TensorRtBackend:
    provided = provide_engine(model, flavour, library, choose_gpu(device))
    kernels = KernelCache(kernels_path(provided.path) if flavour is RTX else None)
    return TensorRtBackend(model, flavour, library, provided.engine, kernels, _open_pycuda, device, note=provided.note)
