"""Build an engine from a model: convert, compare, parse, build.  One code path for both flavours."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import onnx

from ..backends import check_signature
from ..contract import CHANNELS, INPUT_HINTS, INPUT_LUMINANCE
from ..errors import BackendError, CancelledError, ModelError, OutOfMemoryError
from ..model import Model
from .card import EngineCard, EngineRecipe, make_card
from .difference import LARGEST_MEAN, ChromaDifference, chroma_difference, run_onnx
from .flavours import Flavour
from .gpu import Gpu
from .graph import (
    GRAPH_RECIPE,
    Precision,
    check_dynamic,
    check_graph,
    float32_graph,
    half_precision_graph,
    rounded_graph,
)
from .library import Library, Messages, logger_of, version_of
from .profile import Profile, profiles_for

if TYPE_CHECKING:
    import tensorrt as trt

Progress = Callable[[str, float], None]
"""Told the step in words and how far the whole is, 0..1; may be called on another thread."""

_SHARE_GRAPH, _SHARE_COMPARED, _SHARE_PARSED = 0.1, 0.3, 0.35
_MEGABYTE: Final = 1 << 20
_POLL_S: Final = 0.1


@dataclass(frozen=True)
class BuildRequest:
    """What is asked of a build.

    Attributes:
        precision: of the arithmetic.
        sizes: network short sides; empty means all that the model was tested at.
        batch: largest batch.
        capabilities: compute capabilities such as "8.6"; empty means the library's own choice.
        workspace_mb: most scratch memory that a layer may use; None leaves it to the library.
    """

    precision: Precision = Precision.FP16
    sizes: tuple[int, ...] = ()
    batch: int = 1
    capabilities: tuple[str, ...] = ()
    workspace_mb: int | None = None


def recipe_for(
    model: Model, flavour: Flavour, library: Library, request: BuildRequest, gpu: Gpu | None
) -> EngineRecipe:
    """Return the recipe of the engine that the request asks for.

    Args:
        model: to build from.
        flavour: which TensorRT.
        library: `flavour`'s.
        request: what is wanted.
        gpu: the one that the engine is for; needed by a flavour whose engines fit one GPU only.

    Raises:
        BadRequestError: sizes, batch or compute capabilities make no sense.
        BackendError: the flavour needs a GPU and there is none.
    """
    if flavour.needs_gpu_to_build and gpu is None:
        raise BackendError(
            f"{flavour.title} builds engines on the graphics card that will run them, and none was found.",
            "Build on the computer with the card, or use --flavour rtx, which needs none.",
        )
    multiple = model.card.multiple_of
    sizes = request.sizes or tuple(sorted({-(-size // multiple) * multiple for size in model.card.sizes}))
    bound = gpu if flavour.needs_gpu_to_build else None
    return EngineRecipe(
        model_name=model.card.name,
        model_version=model.card.version,
        model_sha256=model.sha256,
        flavour=flavour.name,
        library_version=version_of(library),
        precision=request.precision.value,
        graph_recipe=GRAPH_RECIPE,
        profiles=profiles_for(model.card, sizes, request.batch),
        targets=flavour.parse_targets(library, request.capabilities),
        workspace_mb=request.workspace_mb,
        gpu=None if bound is None else f"{bound.name} ({bound.compute_capability})",
        driver=None if bound is None else bound.driver,
    )


def build_engine(
    model: Model,
    flavour: Flavour,
    library: Library,
    recipe: EngineRecipe,
    *,
    progress: Progress = lambda step, fraction: None,
    cancelled: threading.Event | None = None,
) -> tuple[bytes, EngineCard]:
    """Build an engine.

    Raises:
        ModelError: the model breaks the contract, or holds something that TensorRT does not know.
        BackendError: half precision changes the colours, or the library cannot build.
        OutOfMemoryError: there is not enough memory.
        CancelledError: `cancelled` was set.
        KeyboardInterrupt: Ctrl+C was pressed; the library was told to stop first.
    """
    cancelled = cancelled or threading.Event()
    progress("Preparing the graph", 0.0)
    graph = float32_graph(model)
    check_dynamic(model, graph)
    difference: dict[str, float] = {}
    if recipe.precision == Precision.FP16:
        exact = graph
        graph = half_precision_graph(exact)
        check_graph(model, graph)
        progress("Comparing with full precision", _SHARE_GRAPH)
        difference = _compare(model, exact, graph).as_members()
    if cancelled.is_set():
        raise CancelledError("The build was cancelled.")
    began = time.perf_counter()
    worker = _Build(model, flavour, library, recipe, graph.SerializeToString(), progress, cancelled)
    engine = worker.run()
    progress("Built", 1.0)
    return engine, make_card(recipe, engine, time.perf_counter() - began, difference)


def _compare(model: Model, exact: onnx.ModelProto, converted: onnx.ModelProto) -> ChromaDifference:
    """Compare half precision with the exact graph on the sample photographs, and return the worse of two findings.

    The converted graph shows whether the conversion went right, the rounded one how much its precision costs.

    Raises:
        BackendError: the colours differ too much.
    """
    from ..samples import network_inputs, sample_paths  # here: it brings the picture decoders

    card = model.card
    inputs = [
        *network_inputs(sample_paths(), card.default_size, card.multiple_of),
        *network_inputs(sample_paths()[:1], card.default_size, card.multiple_of, with_hints=True),
    ]
    expected = run_onnx(exact.SerializeToString(), inputs)
    found = []
    for graph in (converted, rounded_graph(exact)):
        got = run_onnx(graph.SerializeToString(), inputs)
        found.append(chroma_difference(list(zip(expected, got, strict=True))))
    worse = max(found, key=lambda difference: difference.mean)
    if worse.mean > LARGEST_MEAN:
        raise BackendError(
            f"Half precision changes the colours of {card.name} by {worse.mean:.2f} a*b* units on the average,"
            f" more than {LARGEST_MEAN}.",
            "Build with --precision fp32.",
        )
    return worse


class _Build:
    """One run of the parser and the builder, on a thread of its own so that Ctrl+C is heard while they work."""

    def __init__(
        self,
        model: Model,
        flavour: Flavour,
        library: Library,
        recipe: EngineRecipe,
        graph: bytes,
        progress: Progress,
        cancelled: threading.Event,
    ) -> None:
        self._model = model
        self._flavour = flavour
        self._library = library
        self._recipe = recipe
        self._graph = graph
        self._progress = progress
        self._cancelled = cancelled
        self._engine: bytes | None = None
        self._error: BaseException | None = None

    def run(self) -> bytes:
        # Not a daemon thread: one that still ran native code when the interpreter ends would bring the process down.
        thread = threading.Thread(target=self._work, name="engine-build")
        try:
            thread.start()
            while thread.is_alive():
                thread.join(_POLL_S)
        except KeyboardInterrupt:
            self._cancelled.set()
            thread.join()  # the monitor answers the builder with "stop"
            raise
        if self._error is not None:
            raise self._error
        assert self._engine is not None  # noqa: S101 - _work leaves one or the other
        return self._engine

    def _work(self) -> None:
        try:
            self._engine = self._build()
        except MemoryError as error:
            self._error = _no_memory(str(error))
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = error

    def _build(self) -> bytes:
        logger, heard = logger_of(self._library)
        heard.forget()
        builder = self._library.Builder(logger)
        network = builder.create_network(1 << int(self._library.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = self._library.OnnxParser(network, logger)
        self._progress("Reading the graph", _SHARE_COMPARED)
        if not parser.parse(self._graph):
            raise _parser_error(self._model, self._flavour, parser)
        self._check_network(network)
        config = builder.create_builder_config()
        if self._recipe.workspace_mb is not None:
            config.set_memory_pool_limit(self._library.MemoryPoolType.WORKSPACE, self._recipe.workspace_mb * _MEGABYTE)
        for profile in self._recipe.profiles:
            _add_profile(self._library, builder, config, profile)
        self._flavour.set_targets(self._library, config, self._recipe.targets)
        config.progress_monitor = _monitor(self._library, self._progress, self._cancelled)
        self._progress("Building the engine", _SHARE_PARSED)
        serialized = builder.build_serialized_network(network, config)
        if self._cancelled.is_set():
            raise CancelledError("The build was cancelled.")
        if serialized is None:
            raise _builder_error(self._model, self._flavour, heard)
        return bytes(serialized)

    def _check_network(self, network: "trt.INetworkDefinition") -> None:
        """Check what the parser understood against the model contract."""

        def described(tensors: "list[trt.ITensor]") -> dict[str, tuple[str, list[object]]]:
            is_float = {t.name: t.dtype == self._library.DataType.FLOAT for t in tensors}
            return {
                t.name: ("float32" if is_float[t.name] else str(t.dtype), [t.shape[a] for a in range(len(t.shape))])
                for t in tensors
            }

        inputs = [network.get_input(index) for index in range(network.num_inputs)]
        outputs = [network.get_output(index) for index in range(network.num_outputs)]
        check_signature(self._model, described(inputs), described(outputs))


def _add_profile(library: Library, builder: "trt.Builder", config: "trt.IBuilderConfig", profile: Profile) -> None:
    ours = builder.create_optimization_profile()
    for name in (INPUT_LUMINANCE, INPUT_HINTS):
        smallest, usual, largest = (
            library.Dims(list(shape.with_channels(CHANNELS[name])))
            for shape in (profile.smallest, profile.usual, profile.largest)
        )
        ours.set_shape(name, smallest, usual, largest)
    if config.add_optimization_profile(ours) < 0:
        raise BackendError(
            f"The optimisation profile {profile.as_members()} was refused.", "Build with other --sizes or --batch."
        )


def _monitor(library: Library, progress: Progress, cancelled: threading.Event) -> "trt.IProgressMonitor":
    """Return what the builder tells its steps to, and asks whether to go on."""
    base: Any = library.IProgressMonitor

    class Monitor(base):  # type: ignore[misc] # the base is known at run time only
        def __init__(self) -> None:
            base.__init__(self)
            self._outermost: str | None = None
            self._steps = 1

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            if parent_phase is None:
                self._outermost, self._steps = phase_name, max(1, num_steps)

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name == self._outermost:
                share = min(1.0, (step + 1) / self._steps)
                progress("Building the engine", _SHARE_PARSED + (1 - _SHARE_PARSED) * share)
            return not cancelled.is_set()

    monitor: trt.IProgressMonitor = Monitor()
    return monitor


def _parser_error(model: Model, flavour: Flavour, parser: "trt.OnnxParser") -> ModelError:
    """Turn the parser's first error into words."""
    if not parser.num_errors:
        return ModelError(f"{flavour.title} cannot read the model {model.path}.", "Export or copy the model again.")
    first = parser.get_error(0)
    where = f"node {first.node_name() or first.node()} ({first.node_operator() or 'unknown operator'})"
    description = " ".join(first.desc().split()).rstrip(".")
    unsupported = not parser.supports_operator(first.node_operator()) if first.node_operator() else False
    if unsupported:
        return ModelError(
            f"{flavour.title} does not know the operator {first.node_operator()} of the model {model.path}: {where}.",
            "Replace that operator in the network and export it again, or use --backend onnxruntime.",
        )
    return ModelError(
        f"{flavour.title} cannot read the model {model.path} at {where}: {description}.",
        "Export the model again with colorize-train export, or use --backend onnxruntime.",
    )


def _builder_error(model: Model, flavour: Flavour, heard: Messages) -> BackendError | OutOfMemoryError:
    if heard.speak_of_memory:
        return _no_memory(heard.last)
    return BackendError(
        f"{flavour.title} could not build an engine of {model.path}: {heard.last or 'it gave no reason'}",
        "Try other --sizes, --precision fp32, or use --backend onnxruntime.",
    )


def _no_memory(reason: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"There is not enough memory to build the engine: {reason}", "Close other programs, or build for fewer --sizes."
    )
