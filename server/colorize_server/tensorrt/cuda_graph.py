"""CUDA graphs through the driver's own library: pycuda does not offer them (stdlib only)."""

import ctypes
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

_SUCCESS: Final = 0
_OUT_OF_MEMORY: Final = 2
_THREAD_LOCAL_CAPTURE: Final = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads' calls do not spoil the recording."""


@lru_cache(maxsize=1)
def driver_library() -> Any:
    """Load the driver's library and declare the functions that are used here.

    Source: CUDA driver API, sections Stream Management and Graph Management; all of them since CUDA 11.4.

    Raises:
        OSError: there is no driver.
    """
    library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    handle, pointer = ctypes.c_void_p, ctypes.POINTER
    for name, arguments in (
        ("cuStreamBeginCapture_v2", [handle, ctypes.c_int]),
        ("cuStreamEndCapture", [handle, pointer(handle)]),
        ("cuGraphInstantiateWithFlags", [pointer(handle), handle, ctypes.c_ulonglong]),
        ("cuGraphLaunch", [handle, handle]),
        ("cuGraphExecDestroy", [handle]),
        ("cuGraphDestroy", [handle]),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    return library


class StreamGraph:
    """A recording that can be launched; see `cuda.CapturedGraph`."""

    def __init__(self, library: Any, executable: ctypes.c_void_p, stream: int) -> None:
        self._library = library
        self._executable = executable
        self._stream = stream

    def launch(self) -> None:
        """Put it on the stream.

        Raises:
            RuntimeError: the driver refused.
            MemoryError: the GPU has no room left.
        """
        status = self._library.cuGraphLaunch(self._executable, self._stream)
        if status == _OUT_OF_MEMORY:
            raise MemoryError("cuGraphLaunch found no room")
        if status != _SUCCESS:
            raise RuntimeError(f"cuGraphLaunch failed with CUDA error {status}")

    def free(self) -> None:
        """Give it back."""
        self._library.cuGraphExecDestroy(self._executable)


def capture(library: Any, stream: int, enqueue: Callable[[], bool]) -> StreamGraph | None:
    """Record what `enqueue` puts on the stream.

    Args:
        library: `driver_library()`.
        stream: handle of a stream on which nothing is recorded yet.
        enqueue: returns whether it succeeded.

    Returns:
        The graph, or None if the driver cannot record this work; the stream is usable as before.
    """
    if library.cuStreamBeginCapture_v2(stream, _THREAD_LOCAL_CAPTURE) != _SUCCESS:
        return None
    graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
    is_recorded = False
    try:
        is_recorded = enqueue()
    finally:
        # A recording is ended whatever happened, else the stream could never be used again.
        ended = library.cuStreamEndCapture(stream, ctypes.byref(graph))
    try:
        if not is_recorded or ended != _SUCCESS or not graph.value:
            return None
        if library.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, 0) != _SUCCESS:
            return None
        return StreamGraph(library, executable, stream)
    finally:
        if graph.value:
            library.cuGraphDestroy(graph)
