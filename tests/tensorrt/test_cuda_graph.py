"""Recording of CUDA graphs through the driver's library, on a library that answers as we like."""

import ctypes
from typing import Any

import pytest
from colorize_server.tensorrt import cuda_graph

STREAM = 7


class FakeLibrary:
    """Answers the driver's calls, and keeps the order in which they came."""

    def __init__(self, **statuses: int) -> None:
        self.calls: list[str] = []
        self.statuses = statuses

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name in ("cuStreamEndCapture", "cuGraphInstantiateWithFlags"):
                target = arguments[1] if name == "cuStreamEndCapture" else arguments[0]
                target._obj.value = 0 if self.statuses.get(name) else 99
            return self.statuses.get(name, 0)

        return call


def test_work_is_recorded_instantiated_and_launched() -> None:
    library = FakeLibrary()
    graph = cuda_graph.capture(library, STREAM, lambda: not library.calls.append("work"))
    assert graph is not None
    graph.launch()
    graph.free()
    assert library.calls == [
        "cuStreamBeginCapture_v2",
        "work",
        "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags",
        "cuGraphDestroy",
        "cuGraphLaunch",
        "cuGraphExecDestroy",
    ]


@pytest.mark.parametrize("failing", ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"])
def test_what_cannot_be_recorded_is_none(failing: str) -> None:
    assert cuda_graph.capture(FakeLibrary(**{failing: 900}), STREAM, lambda: True) is None


def test_a_refused_enqueue_ends_the_recording_and_leaks_nothing() -> None:
    library = FakeLibrary()
    assert cuda_graph.capture(library, STREAM, lambda: False) is None
    assert library.calls == ["cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphDestroy"]


def test_a_recording_is_ended_even_when_the_work_raises() -> None:
    library = FakeLibrary()

    def work() -> bool:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cuda_graph.capture(library, STREAM, work)
    assert "cuStreamEndCapture" in library.calls


@pytest.mark.parametrize(("status", "error"), [(2, MemoryError), (700, RuntimeError)])
def test_a_launch_that_fails_says_so(status: int, error: type[Exception]) -> None:
    graph = cuda_graph.StreamGraph(FakeLibrary(cuGraphLaunch=status), ctypes.c_void_p(1), STREAM)
    with pytest.raises(error):
        graph.launch()
