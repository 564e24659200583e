"""The two TensorRTs, and everything in which they differ; the rest of the package knows only `Flavour`."""

import contextlib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..backends.gpu import Gpu
from ..errors import BackendError, BadRequestError
from ..files import replacing
from .library import Library, version_of

if TYPE_CHECKING:
    import tensorrt as trt

_OLDEST_USUAL: Final = 8.0
"""TensorRT for RTX builds for Turing (7.5) only when asked to."""


@dataclass(frozen=True)
class Flavour:
    """One of the two TensorRTs.

    Attributes:
        name: as in ``trt-build --flavour``.
        backend: as in ``--backend``.
        title: for people.
        module: imports the library lazily; has ``load() -> Library``.
        needs_gpu_to_build: kernels are timed on the GPU that will run them.
        captures_graphs: its runtime captures CUDA graphs by itself.
    """

    name: str
    backend: str
    title: str
    module: str
    needs_gpu_to_build: bool
    captures_graphs: bool

    def load(self) -> Library:
        """Import the library.

        Raises:
            BackendError: it is not installed or cannot be loaded; the message says what to do.
        """
        library: Library = importlib.import_module(self.module).load()
        return library

    def parse_targets(self, library: Library, capabilities: tuple[str, ...]) -> tuple[str, ...]:
        """Check compute capabilities such as "8.6" and return them sorted; empty means the library's own choice.

        Raises:
            BadRequestError: the library cannot build for one of them.
        """
        raise NotImplementedError

    def targets_for(self, library: Library, gpu: Gpu) -> tuple[str, ...]:
        """Return the compute capabilities that an engine for `gpu` must be built for; empty for the usual ones.

        Raises:
            BackendError: the library does not support that GPU.
        """
        raise NotImplementedError

    def set_targets(self, library: Library, config: "trt.IBuilderConfig", targets: tuple[str, ...]) -> None:
        """Tell the builder which GPUs the engine must run on.

        Raises:
            BackendError: the library refuses one of them.
        """
        raise NotImplementedError

    def create_context(
        self, library: Library, engine: "trt.ICudaEngine", kernels: "KernelCache"
    ) -> "trt.IExecutionContext | None":
        """Create an execution context that uses our own device memory; None if the library cannot.

        The memory of all contexts is the runner's, so that they share it and its end is noticed where it is asked for.
        """
        raise NotImplementedError


class KernelCache:
    """Kernels that TensorRT for RTX compiled for this GPU, kept on disk beside the engine.

    Without it the first picture after every start waits for the compiler.

    Args:
        path: the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._cache: Any = None
        self._saved_bytes = 0

    def attach(self, config: Any) -> None:
        """Give the kernels to a runtime configuration; those on disk are read once."""
        if self._path is None:
            return
        if self._cache is None:
            self._cache = config.create_runtime_cache()
            # Damaged, or of another version: the library refuses it, and compiles again.
            with contextlib.suppress(OSError):
                blob = self._path.read_bytes()
                if blob and self._cache.deserialize(blob):
                    self._saved_bytes = len(blob)
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write the kernels to disk if there are new ones; a full disk is no reason to fail."""
        if self._path is None or self._cache is None:
            return
        serialized = self._cache.serialize()
        if serialized is None:
            return
        blob = bytes(serialized)
        if len(blob) == self._saved_bytes:
            return
        with contextlib.suppress(OSError):
            with replacing(self._path) as file:
                file.write(blob)
            self._saved_bytes = len(blob)


class _Rtx(Flavour):
    def parse_targets(self, library: Library, capabilities: tuple[str, ...]) -> tuple[str, ...]:
        offered = self._offered(library)
        for capability in capabilities:
            if capability not in offered:
                raise BadRequestError(
                    f"{self.title} {version_of(library)} cannot build for compute capability {capability}.",
                    f"Use some of {', '.join(offered)}; for data-centre cards use --flavour tensorrt.",
                )
        return tuple(sorted(set(capabilities), key=float))

    def targets_for(self, library: Library, gpu: Gpu) -> tuple[str, ...]:
        offered = self._offered(library)
        capability = gpu.compute_capability
        if capability in offered:
            return (capability,) if float(capability) < _OLDEST_USUAL else ()
        newest = list(offered)[-1]
        if float(capability) > float(newest):
            return ()  # an engine of the usual targets runs on later ones too
        raise BackendError(
            f"{self.title} {version_of(library)} does not support {gpu.name} (compute capability {capability}).",
            "Use --backend tensorrt, or cuda.",
        )

    def set_targets(self, library: Library, config: "trt.IBuilderConfig", targets: tuple[str, ...]) -> None:
        ours: Any = config  # these members are not in TensorRT's stubs
        offered = self._offered(library)
        if targets:
            ours.num_compute_capabilities = len(targets)  # makes the slots that are filled below
        for slot, target in enumerate(targets):
            if not ours.set_compute_capability(offered[target], slot):
                raise BackendError(
                    f"{self.title} refuses compute capability {target}.", "Leave out --compute-capability."
                )

    def create_context(
        self, library: Library, engine: "trt.ICudaEngine", kernels: KernelCache
    ) -> "trt.IExecutionContext | None":
        ours: Any = library
        config: Any = engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(library.ExecutionContextAllocationStrategy.USER_MANAGED)
        config.cuda_graph_strategy = ours.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        # Photographs come in every shape: a kernel for the one at hand is compiled while the general one already runs.
        config.dynamic_shapes_kernel_specialization_strategy = ours.DynamicShapesKernelSpecializationStrategy.LAZY
        kernels.attach(config)
        return engine.create_execution_context(config)

    def _offered(self, library: Library) -> dict[str, Any]:
        """Return compute capability to the library's name for it, such as "8.6" to SM86."""
        names: Any = library.ComputeCapability  # type: ignore[attr-defined] # only TensorRT for RTX has it
        found = {}
        for name in dir(names):
            match = re.fullmatch(r"SM(\d+)(\d)", name)
            if match:
                found[f"{match[1]}.{match[2]}"] = getattr(names, name)
        return dict(sorted(found.items(), key=lambda item: float(item[0])))


class _Classic(Flavour):
    def targets_for(self, library: Library, gpu: Gpu) -> tuple[str, ...]:
        return ()  # the one that it is built on

    def parse_targets(self, library: Library, capabilities: tuple[str, ...]) -> tuple[str, ...]:
        if capabilities:
            raise BadRequestError(
                "A TensorRT engine fits the graphics card that it is built on, and no other.",
                "Leave out --compute-capability, or use --flavour rtx.",
            )
        return ()

    def set_targets(self, library: Library, config: "trt.IBuilderConfig", targets: tuple[str, ...]) -> None:
        # Not in every version: lets a small picture take less memory than the profile's largest.
        feature = getattr(library.PreviewFeature, "RUNTIME_ACTIVATION_RESIZE_10_10", None)
        if feature is not None:
            config.set_preview_feature(feature, True)

    def create_context(
        self, library: Library, engine: "trt.ICudaEngine", kernels: KernelCache
    ) -> "trt.IExecutionContext | None":
        return engine.create_execution_context(library.ExecutionContextAllocationStrategy.USER_MANAGED)


RTX: Final[Flavour] = _Rtx(
    name="rtx",
    backend="tensorrt-rtx",
    title="TensorRT for RTX",
    module="colorize_server.tensorrt.rtx_library",
    needs_gpu_to_build=False,
    captures_graphs=True,
)
CLASSIC: Final[Flavour] = _Classic(
    name="tensorrt",
    backend="tensorrt",
    title="TensorRT",
    module="colorize_server.tensorrt.classic_library",
    needs_gpu_to_build=True,
    captures_graphs=False,
)
FLAVOURS: Final = {flavour.name: flavour for flavour in (RTX, CLASSIC)}
