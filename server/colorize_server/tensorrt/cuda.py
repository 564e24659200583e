"""What the TensorRT runner asks of CUDA.  A protocol, so that its logic is tested without a GPU.

One driver belongs to one thread: it makes the GPU's context current there.  All work goes on one stream, in order.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class DeviceMemoryError(Exception):
    """The GPU, or its page-locked host memory, has no room left."""


class DeviceBuffer(Protocol):
    """Memory on the GPU.

    Attributes:
        address: device pointer.
        nbytes: its length.
    """

    address: int
    nbytes: int

    def free(self) -> None:
        """Give it back; nothing on the stream may still use it."""


class PinnedBuffer(Protocol):
    """Page-locked host memory, which alone the GPU copies to and from while the processor goes on.

    Attributes:
        array: (count,) float32.
    """

    array: NDArray[np.float32]

    def free(self) -> None:
        """Give it back; nothing on the stream may still use it."""


class CapturedGraph(Protocol):
    """Work that was recorded from the stream and can be put on it again in one call."""

    def launch(self) -> None:
        """Put it on the stream."""

    def free(self) -> None:
        """Give it back."""


class CudaDriver(Protocol):
    """One GPU, one stream.

    Attributes:
        name: of the GPU.
        stream: handle of the stream.
    """

    name: str
    stream: int

    def allocate(self, nbytes: int) -> DeviceBuffer:
        """Take memory on the GPU.

        Raises:
            DeviceMemoryError: it has no room left.
        """

    def allocate_pinned(self, count: int) -> PinnedBuffer:
        """Take page-locked memory for `count` float32.

        Raises:
            DeviceMemoryError: there is no room left.
        """

    def copy_to_device(self, target: DeviceBuffer, source: NDArray[np.float32]) -> None:
        """Put a copy of a page-locked array on the stream."""

    def copy_to_host(self, target: NDArray[np.float32], source: DeviceBuffer) -> None:
        """Put a copy into a page-locked array on the stream."""

    def synchronize(self) -> None:
        """Wait until everything on the stream is done.

        Raises:
            DeviceMemoryError: something on it ran out of memory.
            DeviceLostError: something on it failed.
        """

    def capture(self, enqueue: Callable[[], bool]) -> CapturedGraph | None:
        """Record what `enqueue` puts on the stream instead of doing it; None if it cannot be recorded."""

    def close(self) -> None:
        """Let go of the GPU."""
