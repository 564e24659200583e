"""Suggestions come from ONNX Runtime, whatever lays the colours, and cost nothing while nobody asks for them."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colorize_server.backends import onnxruntime_backend as ort
from colorize_server.backends import open_backend
from colorize_server.backends.suggesting import suggesting_backend
from colorize_server.contract import COLOURS_STRIDE, SUGGESTIONS
from colorize_server.errors import CancelledError
from colorize_server.model import Model, load_model
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.options import Options
from colorize_server.picture.photograph import Photograph, profile_by_name
from tensorrt_rig import backend_on
from tiny_model import write_tiny_model


@pytest.fixture
def suggesting(tmp_path: Path) -> Model:
    return load_model(write_tiny_model(tmp_path / "suggesting.onnx", suggests=True))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sessions that ONNX Runtime opens."""
    names: list[str] = []
    real = ort.OnnxRuntimeBackend.__init__

    def noting(self: Any, model: Model, plan: ort.SessionPlan = ort.CPU_PLAN) -> None:
        names.append(plan.name)
        real(self, model, plan)

    monkeypatch.setattr(ort.OnnxRuntimeBackend, "__init__", noting)
    return names


def photograph() -> Photograph:
    levels = np.linspace(0, 255, 200).astype(np.uint8)
    return Photograph(np.broadcast_to(levels, (130, 200))[..., None].copy(), profile_by_name("srgb", 1))


def test_a_model_tells_whether_it_suggests(suggesting: Model, tiny: Model) -> None:
    assert (suggesting.suggests_colours, tiny.suggests_colours) == (True, False)


def test_onnx_runtime_answers_from_its_own_session(suggesting: Model, opened: list[str]) -> None:
    backend = open_backend("onnxruntime", suggesting)
    assert suggesting_backend(backend, suggesting) is backend
    inputs = np.zeros((2, 1, 64, 96), np.float32), np.zeros((2, 3, 64, 96), np.float32)
    colours = backend.colours(*inputs)
    assert colours.shape == (2, SUGGESTIONS, 3, 64 // COLOURS_STRIDE, 96 // COLOURS_STRIDE)
    assert [plane.shape[1] for plane in backend.run(*inputs)] == [2, 1]
    assert opened == ["onnxruntime"]
    backend.close()


@pytest.mark.parametrize("name", ["openvino", "tensorrt"])
def test_other_backends_open_a_session_with_the_first_question(suggesting: Model, opened: list[str], name: str) -> None:
    if name == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    backend = open_backend(name, suggesting) if name == "openvino" else backend_on(suggesting)[0]
    reference = Colorizer(open_backend("onnxruntime", suggesting), suggesting)
    opened.clear()
    colorizer = Colorizer(backend, suggesting)
    colorizer.colorize(photograph(), Options())
    assert opened == []
    places = [(10, 10), (150, 100)]
    found, _ = colorizer.suggest(photograph(), places)
    assert opened == ["onnxruntime"]
    assert found == reference.suggest(photograph(), places)[0]
    colorizer.suggest(photograph(), places)
    assert opened == ["onnxruntime"]
    backend.close()


def test_a_question_can_be_cancelled(shipped_model: Model, suggesting: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two operators, as a picture can: here of the shipped network, which takes long enough."""
    monkeypatch.setattr(ort, "OUTPUT_COLOURS", "chroma")
    backend = open_backend("onnxruntime", shipped_model)
    timer = threading.Timer(0.1, backend.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        backend.colours(np.zeros((4, 1, 512, 512), np.float32), np.zeros((4, 3, 512, 512), np.float32))
    timer.join()
    backend.close()
