"""The optional OpenVINO backend."""

import sys
import threading
from typing import Any

import numpy as np
import pytest
from colorize_server.backends import AUTO_ORDER, open_backend
from colorize_server.errors import BackendError, CancelledError, ModelError
from colorize_server.model import Model, load_model
from colorize_server.samples import network_inputs, sample_paths
from colorize_server.tensorrt.difference import LARGEST_MEAN, LARGEST_P999, chroma_difference
from graphs import rename_an_output, write_changed


def test_without_openvino_the_command_is_named(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BackendError, match=r"OpenVINO is not installed. Install it: .*openvino"):
        open_backend("openvino", tiny)


def test_it_is_never_taken_by_itself_and_is_no_gpu(tiny: Model) -> None:
    assert "openvino" not in AUTO_ORDER
    with pytest.raises(BackendError, match="a GPU was required"):
        open_backend("openvino", tiny, require_gpu=True)


@pytest.fixture
def openvino(shipped_model: Model) -> Any:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    backend = open_backend("openvino", shipped_model)
    yield backend
    backend.close()


def test_its_colours_are_those_of_onnx_runtime(openvino: Any, shipped_model: Model) -> None:
    """The bars of selftest; in bfloat16, where the processor has it, they are missed."""
    reference = open_backend("onnxruntime", shipped_model)
    inputs = network_inputs(
        sample_paths(), shipped_model.card.sizes[0], shipped_model.card.multiple_of, with_hints=True
    )
    pairs = [tuple(b.run(one.luminance, one.hints)[0] for b in (openvino, reference)) for one in inputs]
    difference = chroma_difference(pairs)
    assert difference.mean <= LARGEST_MEAN
    assert difference.p999 <= LARGEST_P999
    reference.close()


def test_its_answers_are_the_callers_to_keep_and_its_arithmetic_is_told(openvino: Any) -> None:
    zeros, ones = np.zeros((1, 1, 256, 256), np.float32), np.ones((1, 1, 256, 256), np.float32)
    hints = np.zeros((1, 3, 256, 256), np.float32)
    first, _ = openvino.run(zeros, hints)
    kept = first.copy()
    second, doubt = openvino.run(ones, hints)
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(first, second)
    assert (second.dtype, doubt.shape) == (np.float32, (1, 1, 256, 256))
    assert "computing in f32" in openvino.reason


def test_a_run_is_cancelled_and_the_next_one_is_untouched(openvino: Any) -> None:
    inputs = np.zeros((4, 1, 512, 512), np.float32), np.zeros((4, 3, 512, 512), np.float32)
    timer = threading.Timer(0.1, openvino.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        openvino.run(*inputs)
    timer.join()
    openvino.cancel()  # nothing runs: without effect
    assert openvino.run(inputs[0][:1, :, :256, :256], inputs[1][:1, :, :256, :256])[0].shape == (1, 2, 256, 256)


def test_a_wrong_contract_is_refused(tmp_path: Any) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    model = load_model(write_changed(tmp_path / "wrong.onnx", rename_an_output))
    with pytest.raises(ModelError, match="certainty"):
        open_backend("openvino", model)
