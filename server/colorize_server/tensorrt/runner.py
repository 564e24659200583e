"""Run a TensorRT engine: contexts, buffers, shapes, CUDA graphs.  Everything here happens on one thread.

Buffers and scratch memory are ours and shared by all contexts: they are sized by the optimisation profile, kept, and
only ever replaced by larger ones.  A CUDA graph has their addresses baked in, and NVIDIA demands that the context it
was recorded from stays as it was ("TensorRT: Performance Best Practices", CUDA graphs): so each recorded shape has a
context of its own, and all recordings go when a buffer moves.
"""

import contextlib
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from ..backends import Tensor
from ..contract import CHANNELS, INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA, OUTPUT_DOUBT
from ..errors import BackendError, DeviceLostError, OutOfMemoryError
from ..model import Model, check_signature
from .cuda import CapturedGraph, CudaDriver, DeviceBuffer, DeviceMemoryError, PinnedBuffer
from .flavours import Flavour, KernelCache
from .library import Library, logger_of
from .profile import Profile, Shape

if TYPE_CHECKING:
    import tensorrt as trt

MAX_LANES: Final = 16
"""Shapes whose context and graph are kept; the least recently used goes first."""
_INPUTS: Final = (INPUT_LUMINANCE, INPUT_HINTS)
_OUTPUTS: Final = (OUTPUT_CHROMA, OUTPUT_DOUBT)
_FLOAT_BYTES: Final = 4


@dataclass(slots=True)
class _Lane:
    """A context, and the graph that was recorded from it.

    Attributes:
        context: execution context.
        profile: index of its optimisation profile.
        shape: the shape that it is set to, or None.
        graph: recorded work for that shape, or None.
        can_be_recorded: recording was not tried yet, or worked.
        runs: how often it ran at that shape.
    """

    context: "trt.IExecutionContext"
    profile: int
    shape: Shape | None = None
    graph: CapturedGraph | None = None
    can_be_recorded: bool = True
    runs: int = 0


@dataclass(slots=True)
class _Buffers:
    """Host and device memory of one tensor."""

    host: PinnedBuffer
    device: DeviceBuffer

    def free(self) -> None:
        self.host.free()
        self.device.free()


@dataclass(slots=True)
class RunnerState:
    """What the runner holds, for tests and logs.

    Attributes:
        lanes: number of contexts.
        graphs: number of recorded graphs.
        largest_batch: more pictures than that are run in parts.
    """

    lanes: int
    graphs: int
    largest_batch: int


@dataclass(slots=True)
class _Memory:
    """All that was allocated."""

    tensors: dict[str, _Buffers] = field(default_factory=dict)
    scratch: DeviceBuffer | None = None


class EngineRunner:
    """Runs one engine on one GPU.

    Args:
        model: whose contract the engine must keep; for messages.
        flavour: which TensorRT.
        library: `flavour`'s.
        engine: the serialised engine.
        driver: the GPU; belongs to the thread that creates this.
        kernels: compiled kernels on disk.

    Raises:
        BackendError: the engine does not fit this GPU or library.
        ModelError: it breaks the model contract.
    """

    def __init__(
        self,
        model: Model,
        flavour: Flavour,
        library: Library,
        engine: bytes,
        driver: CudaDriver,
        kernels: KernelCache,
    ) -> None:
        self._flavour = flavour
        self._library = library
        self._driver = driver
        self._kernels = kernels
        logger, self._heard = logger_of(library)
        self._heard.forget()
        self._runtime = library.Runtime(logger)
        loaded: trt.ICudaEngine | None = self._runtime.deserialize_cuda_engine(engine)
        if loaded is None:
            raise BackendError(
                f"{flavour.title} cannot load the engine on {driver.name}: {self._heard.last or 'no reason given'}",
                f"Build it again: trt-build --flavour {flavour.name} --force.",
            )
        self._engine = loaded
        check_signature(model, self._tensors(library.TensorIOMode.INPUT), self._tensors(library.TensorIOMode.OUTPUT))
        self._profiles = tuple(self._profile(i) for i in range(loaded.num_optimization_profiles))
        self._largest_batch = min(profile.largest.batch for profile in self._profiles)
        self._lanes: OrderedDict[tuple[int, Shape | None], _Lane] = OrderedDict()
        self._memory = _Memory()

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Optimisation profiles of the engine."""
        return self._profiles

    @property
    def state(self) -> RunnerState:
        """What is held now."""
        graphs = sum(lane.graph is not None for lane in self._lanes.values())
        return RunnerState(len(self._lanes), graphs, self._largest_batch)

    def run(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run the generator; see `Backend.run`.

        A batch that is too large for the GPU's memory is run in parts, and so is every later one of that size.

        Raises:
            BackendError: no profile takes the shape, or the GPU failed.
            OutOfMemoryError: one picture alone is too much.
        """
        batch = len(luminance)
        parts = []
        start = 0
        while start < batch:
            stop = min(batch, start + self._largest_batch)
            try:
                parts.append(self._run_with_room(luminance[start:stop], hints[start:stop]))
            except DeviceMemoryError as error:
                if self._largest_batch == 1:
                    height, width = luminance.shape[2:]
                    raise OutOfMemoryError(
                        f"{self._driver.name} has not enough memory left for {width} x {height} pixels.",
                        "Choose a smaller size, or close other programs that use the graphics card.",
                    ) from error
                # The buffers have room for as many pictures, however few there are now.
                self._largest_batch = max(1, min(stop - start, self._largest_batch - 1) // 2)
                continue
            start = stop
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([chroma for chroma, _ in parts]), np.concatenate([doubt for _, doubt in parts])

    def close(self) -> None:
        """Save what was compiled and free everything."""
        self._kernels.save()
        self._free()

    def _run_with_room(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Run; if memory ran out, free all that earlier shapes hold and try once more."""
        try:
            return self._run_once(luminance, hints)
        except DeviceMemoryError:
            self._free()
        try:
            return self._run_once(luminance, hints)
        except DeviceMemoryError:
            self._free()
            raise

    def _run_once(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        shape = Shape(len(luminance), luminance.shape[2], luminance.shape[3])
        index = self._choose_profile(shape)
        self._make_room(self._profiles[index])
        lane = self._lane(index, shape)
        self._prepare(lane, shape)
        for name, values in zip(_INPUTS, (luminance, hints), strict=True):
            buffers = self._memory.tensors[name]
            staged = buffers.host.array[: values.size]
            np.copyto(staged.reshape(values.shape), values)
            self._driver.copy_to_device(buffers.device, staged)
        self._enqueue(lane)
        landed = {}
        for name in _OUTPUTS:
            buffers = self._memory.tensors[name]
            landed[name] = buffers.host.array[: math.prod(shape.with_channels(CHANNELS[name]))]
            self._driver.copy_to_host(landed[name], buffers.device)
        self._driver.synchronize()
        lane.runs += 1
        if lane.runs == 1:
            self._kernels.save()
        # Copies: the page-locked memory is used again by the next picture.
        chroma, doubt = (landed[name].reshape(shape.with_channels(CHANNELS[name])).copy() for name in _OUTPUTS)
        return chroma, doubt

    def _choose_profile(self, shape: Shape) -> int:
        def strangeness(index: int) -> float:
            usual = self._profiles[index].usual
            return abs(math.log(shape.height / shape.width) - math.log(usual.height / usual.width))

        fitting = [index for index, p in enumerate(self._profiles) if p.takes(shape.height, shape.width)]
        if fitting:
            return min(fitting, key=strangeness)  # the one whose kernels were chosen for such pictures
        smallest = min(profile.smallest.height for profile in self._profiles)
        largest = max(min(profile.largest.height, profile.largest.width) for profile in self._profiles)
        raise BackendError(
            f"The engine takes pictures of {smallest} to {largest} pixels on the short side, and this one has"
            f" {shape.width} x {shape.height}.",
            f"Choose another size, or build for it: trt-build --flavour {self._flavour.name} --sizes"
            f" {min(shape.height, shape.width)}.",
        )

    def _make_room(self, profile: Profile) -> None:
        """Have buffers for the largest pictures of a profile, at the batch that is tried."""
        pixels = self._largest_batch * profile.largest.height * profile.largest.width
        for name in (*_INPUTS, *_OUTPUTS):
            count = pixels * CHANNELS[name]
            held = self._memory.tensors.get(name)
            if held is not None and len(held.host.array) >= count:
                continue
            self._forget_graphs()
            if held is not None:
                del self._memory.tensors[name]
                held.free()
            host = self._driver.allocate_pinned(count)
            try:
                device = self._driver.allocate(count * _FLOAT_BYTES)
            except DeviceMemoryError:
                host.free()
                raise
            self._memory.tensors[name] = _Buffers(host, device)

    def _lane(self, index: int, shape: Shape) -> _Lane:
        """Return the lane for a shape, made if need be."""
        # A runtime that records by itself follows the shape; one lane serves the profile.
        key = (index, None if self._flavour.captures_graphs else shape)
        lane = self._lanes.get(key)
        if lane is None:
            while len(self._lanes) >= MAX_LANES:
                _, oldest = self._lanes.popitem(last=False)
                _free_graph(oldest)
            lane = self._lanes[key] = _Lane(self._new_context(index), index)
        self._lanes.move_to_end(key)
        return lane

    def _new_context(self, index: int) -> "trt.IExecutionContext":
        self._heard.forget()
        context = self._flavour.create_context(self._library, self._engine, self._kernels)
        if context is None or not context.set_optimization_profile_async(index, self._driver.stream):
            raise self._failure("an execution context could not be made")
        self._driver.synchronize()
        return context

    def _prepare(self, lane: _Lane, shape: Shape) -> None:
        """Give a context its shape and addresses; one that was recorded already is left untouched."""
        if lane.graph is not None:
            return
        self._heard.forget()
        context = lane.context
        if lane.shape != shape:
            for name in _INPUTS:
                if not context.set_input_shape(name, shape.with_channels(CHANNELS[name])):
                    raise self._failure(f"the shape {shape} of {name} was refused")
            lane.shape, lane.runs = shape, 0
        needed = context.update_device_memory_size_for_shapes()
        held = self._memory.scratch
        if held is None or held.nbytes < needed:
            self._forget_graphs()
            if held is not None:
                self._memory.scratch = None
                held.free()
            held = self._memory.scratch = self._driver.allocate(needed)
        context.set_device_memory(held.address, held.nbytes)
        for name in (*_INPUTS, *_OUTPUTS):
            if not context.set_tensor_address(name, self._memory.tensors[name].device.address):
                raise self._failure(f"the address of {name} was refused")

    def _enqueue(self, lane: _Lane) -> None:
        """Put the network on the stream.

        The first run of a shape is the warm-up that NVIDIA asks for; the second is recorded, the others replayed.
        """
        self._heard.forget()
        context, stream = lane.context, self._driver.stream
        if lane.graph is None and lane.runs and lane.can_be_recorded and not self._flavour.captures_graphs:
            lane.graph = self._driver.capture(lambda: context.execute_async_v3(stream))
            lane.can_be_recorded = lane.graph is not None
        if lane.graph is not None:
            lane.graph.launch()
        elif not context.execute_async_v3(stream):
            raise self._failure("the network could not be started")

    def _failure(self, what: str) -> Exception:
        """Return the error for a call that NVIDIA answers with False or None, and explains in the log only."""
        if self._heard.speak_of_memory:
            return DeviceMemoryError(self._heard.last)
        return DeviceLostError(
            f"{self._flavour.title} failed on {self._driver.name}: {what}. {self._heard.last}".rstrip(),
            "Try again; if it repeats, run colorize-server selftest.",
        )

    def _forget_graphs(self) -> None:
        """Drop all recordings: something that they have the address of is about to move."""
        if any(lane.graph is not None for lane in self._lanes.values()):
            self._driver.synchronize()
        for lane in self._lanes.values():
            _free_graph(lane)

    def _free(self) -> None:
        with contextlib.suppress(DeviceMemoryError):  # that is why we are here
            self._driver.synchronize()
        self._forget_graphs()
        self._lanes.clear()
        memory, self._memory = self._memory, _Memory()
        for buffers in memory.tensors.values():
            buffers.free()
        if memory.scratch is not None:
            memory.scratch.free()

    def _tensors(self, mode: "trt.TensorIOMode") -> dict[str, tuple[str, list[object]]]:
        """Return name to (element type, shape) of the engine's inputs or outputs, as `check_signature` wants them."""
        found: dict[str, tuple[str, list[object]]] = {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            if self._engine.get_tensor_mode(name) == mode:
                element = self._engine.get_tensor_dtype(name)
                described = "float32" if element == self._library.DataType.FLOAT else str(element)
                found[name] = (described, list[object](_numbers(self._engine.get_tensor_shape(name))))
        return found

    def _profile(self, index: int) -> Profile:
        shapes = map(_numbers, self._engine.get_tensor_profile_shape(INPUT_LUMINANCE, index))
        smallest, usual, largest = (Shape(batch, height, width) for batch, _, height, width in shapes)
        return Profile(smallest, usual, largest)


def _free_graph(lane: _Lane) -> None:
    if lane.graph is not None:
        lane.graph.free()
        lane.graph = None
        lane.runs = 0


def _numbers(dims: "trt.Dims") -> list[int]:
    return [dims[axis] for axis in range(len(dims))]
