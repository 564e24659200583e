"""A TensorRT in numpy, and a CUDA driver in numpy, to run the runner's logic on.

Both are strict where the real ones are: work is only done when the stream is synchronised, a recorded graph uses the
addresses and shapes of the time of recording, memory that was given back must not be used, and nothing is as large as
it was not asked to be.  The "network" is the tiny model's formula.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from colorize_server.contract import CHANNELS
from colorize_server.errors import DeviceLostError
from colorize_server.tensorrt.cuda import DeviceMemoryError
from numpy.typing import NDArray

SCRATCH_BYTES_PER_PIXEL = 16
INPUTS = ("luminance", "hints")
OUTPUTS = ("chroma", "doubt")


def expected(luminance: NDArray[np.float32], hints: NDArray[np.float32]) -> tuple[Any, Any]:
    """Return the tiny model's chroma and doubt."""
    cover = hints[:, 2:3]
    auto = np.concatenate([0.2 - 0.1 * luminance, 0.15 + 0.1 * luminance], axis=1)
    return (auto * (1 - cover) + hints[:, :2] * cover).astype(np.float32), (0.1 + 0.05 * luminance).astype(np.float32)


@dataclass(eq=False)
class FakeBuffer:
    driver: "FakeDriver"
    address: int
    nbytes: int
    data: NDArray[np.float32]

    def free(self) -> None:
        assert not self.driver.queue, "memory was given back while work on the stream may use it"
        del self.driver.memory[self.address]
        self.driver.used_bytes -= self.nbytes


@dataclass(eq=False)
class FakePinned:
    driver: "FakeDriver"
    array: NDArray[np.float32]
    is_free: bool = False

    def free(self) -> None:
        assert not self.is_free
        self.is_free = True
        self.driver.pinned_live -= 1
        self.array[:] = np.nan


@dataclass(eq=False)
class FakeGraph:
    driver: "FakeDriver"
    work: list[Callable[[], None]]
    contexts: "list[FakeContext]"
    is_free: bool = False

    def launch(self) -> None:
        assert not self.is_free
        self.driver.launches += 1
        self.driver.queue += self.work

    def free(self) -> None:
        assert not self.driver.queue
        assert not self.is_free
        self.is_free = True
        self.driver.graphs_live -= 1
        for context in self.contexts:
            context.is_recorded = False


class FakeDriver:
    """See `colorize_server.tensorrt.cuda.CudaDriver`."""

    def __init__(self, memory_bytes: int = 1 << 40, *, can_capture: bool = True) -> None:
        self.name = "Fake GPU"
        self.stream = 7
        self.memory_bytes = memory_bytes
        self.can_capture = can_capture
        self.used_bytes = 0
        self.memory: dict[int, FakeBuffer] = {}
        self.queue: list[Callable[[], None]] = []
        self.recording: list[Callable[[], None]] | None = None
        self.recorded: list[FakeContext] = []
        self.next_address = 4096
        self.allocations = 0
        self.launches = 0
        self.captures = 0
        self.graphs_live = 0
        self.pinned_live = 0
        self.closed = False
        self.fails_with: str | None = None

    def allocate(self, nbytes: int) -> FakeBuffer:
        if self.used_bytes + nbytes > self.memory_bytes:
            raise DeviceMemoryError("out of memory")
        self.used_bytes += nbytes
        self.allocations += 1
        buffer = FakeBuffer(self, self.next_address, nbytes, np.full(-(-nbytes // 4), np.nan, np.float32))
        self.memory[buffer.address] = buffer
        self.next_address += nbytes + 4096
        return buffer

    def allocate_pinned(self, count: int) -> FakePinned:
        self.pinned_live += 1
        return FakePinned(self, np.full(count, np.nan, np.float32))

    def put(self, work: Callable[[], None]) -> None:
        (self.queue if self.recording is None else self.recording).append(work)

    def copy_to_device(self, target: FakeBuffer, source: NDArray[np.float32]) -> None:
        assert source.base is not None, "only a view of page-locked memory is copied asynchronously"
        address, count = target.address, source.size

        def work() -> None:
            self.memory[address].data[:count] = source

        self.put(work)

    def copy_to_host(self, target: NDArray[np.float32], source: FakeBuffer) -> None:
        address, count = source.address, target.size

        def work() -> None:
            target[:] = self.memory[address].data[:count]

        self.put(work)

    def synchronize(self) -> None:
        queue, self.queue = self.queue, []
        if self.fails_with is not None and queue:
            raise DeviceLostError(self.fails_with)
        for work in queue:
            work()

    def capture(self, enqueue: Callable[[], bool]) -> FakeGraph | None:
        self.captures += 1
        if not self.can_capture:
            return None
        self.recording, self.recorded = [], []
        is_recorded = enqueue()
        work, self.recording = self.recording, None
        if not is_recorded:
            return None
        self.graphs_live += 1
        for context in self.recorded:
            context.is_recorded = True
        return FakeGraph(self, work, self.recorded)

    def close(self) -> None:
        self.closed = True


class FakeContext:
    """See `tensorrt.IExecutionContext`."""

    def __init__(self, engine: "FakeEngine") -> None:
        self.engine = engine
        self.profile: int | None = None
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.scratch: tuple[int, int] = (0, 0)
        self.is_recorded = False

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        assert stream == self.engine.driver.stream
        self.profile = index
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self.profile is not None
        assert not self.is_recorded, "NVIDIA forbids changing a context that a graph was recorded from"
        low, _, high = self.engine.profiles[self.profile]
        n, c, h, w = shape
        fits = all(a <= x <= b for a, x, b in zip(low, (n, h, w), high, strict=True))
        if not fits or c != CHANNELS[name]:
            return False
        self.shapes[name] = shape
        return True

    def _needed(self) -> int:
        n, _, h, w = self.shapes["luminance"]
        return n * h * w * SCRATCH_BYTES_PER_PIXEL

    def update_device_memory_size_for_shapes(self) -> int:
        assert set(self.shapes) == set(INPUTS)
        return self._needed()

    def set_device_memory(self, address: int, nbytes: int) -> None:
        assert not self.is_recorded
        self.scratch = (address, nbytes)

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert not self.is_recorded
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        driver = self.engine.driver
        assert stream == driver.stream
        if self.engine.refusal is not None:
            self.engine.library.heard(self.engine.refusal)
            return False
        shapes, addresses, (scratch, scratch_bytes) = dict(self.shapes), dict(self.addresses), self.scratch
        assert scratch_bytes >= self._needed()
        self.engine.executions += 1
        if driver.recording is not None:
            driver.recorded.append(self)

        def work() -> None:
            assert scratch in driver.memory, "scratch memory was given back"
            inputs = [
                driver.memory[addresses[name]].data[: int(np.prod(shapes[name]))].reshape(shapes[name])
                for name in INPUTS
            ]
            for name, values in zip(OUTPUTS, expected(*inputs), strict=True):
                assert driver.memory[addresses[name]].nbytes >= values.nbytes
                driver.memory[addresses[name]].data[: values.size] = values.ravel()

        driver.put(work)
        return True


class FakeEngine:
    """See `tensorrt.ICudaEngine`."""

    def __init__(self, library: "FakeLibrary", driver: FakeDriver) -> None:
        self.library = library
        self.driver = driver
        self.profiles = library.profiles
        self.num_optimization_profiles = len(library.profiles)
        self.names = (*INPUTS, *library.outputs)
        self.num_io_tensors = len(self.names)
        self.contexts = 0
        self.executions = 0
        self.refusal: str | None = None

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name in INPUTS else "output"

    def get_tensor_dtype(self, name: str) -> str:
        return self.library.dtype

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, CHANNELS.get(name, 9), -1, -1)

    def get_tensor_profile_shape(self, name: str, index: int) -> list[tuple[int, ...]]:
        return [(n, CHANNELS[name], h, w) for n, h, w in self.profiles[index]]

    def create_execution_context(self, strategy: str) -> FakeContext | None:
        assert strategy == "user"
        if self.library.has_no_contexts:
            self.library.heard("Error Code 2: OutOfMemory (Requested size was 123 bytes.)")
            return None
        self.contexts += 1
        return FakeContext(self)


@dataclass(eq=False)
class FakeLibrary:
    """The module ``tensorrt``, as far as the runner goes.

    Attributes:
        driver: what its engines run on.
        profiles: (smallest, usual, largest) as (N, H, W).
        outputs: names of the engine's outputs.
        dtype: of every tensor.
        is_foreign: the engine cannot be loaded.
        has_no_contexts: contexts cannot be made for want of memory.
    """

    driver: FakeDriver
    profiles: list[tuple[tuple[int, int, int], ...]] = field(
        default_factory=lambda: [((1, 64, 64), (1, 64, 96), (4, 128, 512)), ((1, 64, 64), (1, 96, 64), (4, 512, 128))]
    )
    outputs: tuple[str, ...] = OUTPUTS
    dtype: str = "float"
    is_foreign: bool = False
    has_no_contexts: bool = False
    engine: FakeEngine | None = None

    def __post_init__(self) -> None:
        library = self
        vars(self)["__version__"] = "10.13.0"

        class Logger:
            ERROR, INTERNAL_ERROR, WARNING = "error", "internal", "warning"

        class Runtime:
            def __init__(self, logger: Any) -> None:
                library.logger = logger

            def deserialize_cuda_engine(self, blob: bytes) -> FakeEngine | None:
                if library.is_foreign:
                    library.heard("The engine plan file is generated on an incompatible device")
                    return None
                library.engine = FakeEngine(library, library.driver)
                return library.engine

        self.logger: Any = None
        self.ILogger = Logger
        self.Runtime = Runtime
        # One logger a process and module: a module name of its own for each fake.
        self.Builder = type("Builder", (), {"__module__": f"fake{id(self)}"})
        self.TensorIOMode = SimpleNamespace(INPUT="input", OUTPUT="output")
        self.DataType = SimpleNamespace(FLOAT="float")
        self.ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user")

    def heard(self, message: str) -> None:
        """Log, as NVIDIA does instead of raising."""
        self.logger.log("error", message)
