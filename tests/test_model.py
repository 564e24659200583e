"""Model files: the card, the checksum, the contract; every damage is a sentence that names the file."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from colorize_server.backends import open_backend
from colorize_server.contract import CARD_KEY
from colorize_server.errors import BackendError, ModelError, SizeNotOfferedError
from colorize_server.model import Model, check_signature, load_model, shipped_model_path
from onnx import TensorProto, helper
from tiny_model import CARD, tiny_model, write_tiny_model


def test_the_shipped_model_keeps_the_contract() -> None:
    """It loads, its checksum file is right, and every size on its card runs at a shape that is not square."""
    path = shipped_model_path()
    model = load_model(path)
    assert path.with_suffix(".sha256").read_text().split()[0] == hashlib.sha256(model.data).hexdigest()
    assert len(model.data) <= 25 * 1024 * 1024
    assert model.card.licence == "Apache-2.0"
    backend = open_backend("onnxruntime", model)
    side = model.card.sizes[0]
    rng = np.random.default_rng(0)
    luminance = rng.uniform(-1, 1, (2, 1, side, side + model.card.multiple_of)).astype(np.float32)
    chroma, doubt = backend.run(luminance, np.zeros((2, 3, *luminance.shape[2:]), np.float32))
    assert chroma.shape == (2, 2, *luminance.shape[2:])
    assert doubt.shape == (2, 1, *luminance.shape[2:])
    assert np.isfinite(chroma).all()
    assert doubt.min() >= 0
    backend.close()


def test_the_card_is_read(tmp_path: Path) -> None:
    model = load_model(write_tiny_model(tmp_path / "m.onnx", {**CARD, "metrics": {"cosine": 0.5}}))
    assert (model.card.name, model.card.version, model.card.multiple_of) == ("tiny", "1", 32)
    assert model.card.sizes == (64, 128, 256)
    assert model.card.rest == {"metrics": {"cosine": 0.5}}
    assert model.card.check_size(None) == 128
    with pytest.raises(SizeNotOfferedError, match="not tested at size 65"):
        model.card.check_size(65)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx cannot be read"):
        load_model(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: b"not onnx", lambda d: d[: len(d) // 2]])
def test_a_damaged_model_is_named(tmp_path: Path, damage: object) -> None:
    path = write_tiny_model(tmp_path / "m.onnx")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=r"m\.onnx is damaged"):
        load_model(path)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "m.onnx")
    data = bytearray(path.read_bytes())
    path.with_suffix(".sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  m.onnx\n")
    assert load_model(path).sha256 == hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"its checksum is not the one in m\.sha256"):
        load_model(path)


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    proto = tiny_model()
    del proto.metadata_props[:]
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="has no card"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": None}, "lacks sizes"),
        ({"sizes": []}, "contradicts itself"),
        ({"default_size": 999}, "contradicts itself"),
        ({"multiple_of": 0}, "contradicts itself"),
        ({"sizes": ["many"]}, "cannot be read"),
    ],
)
def test_an_unsound_card_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    card = {k: v for k, v in {**CARD, **change}.items() if v is not None}
    with pytest.raises(ModelError, match=message):
        load_model(write_tiny_model(tmp_path / "m.onnx", card))


def test_suggestions_are_an_output_and_no_input(tiny: Model) -> None:
    """The one tensor of the contract that may be missing."""
    inputs = {"luminance": ("float32", ["N", 1, "H", "W"]), "hints": ("float32", ["N", 3, "H", "W"])}
    outputs = {"chroma": ("float32", ["N", 2, "H", "W"]), "doubt": ("float32", ["N", 1, "H", "W"])}
    colours = {"colours": ("float32", ["N", 7, 3, "h", "w"])}
    check_signature(tiny, inputs, outputs)
    check_signature(tiny, inputs, outputs | colours)
    with pytest.raises(ModelError, match="has the inputs"):
        check_signature(tiny, inputs | colours, outputs)


def test_a_graph_that_breaks_the_contract_is_refused(tmp_path: Path) -> None:
    """A sound card on a graph with other tensors, or the right names with other channels."""
    proto = tiny_model()
    proto.graph.output[0].name = "colour"
    proto.graph.node[6].output[0] = "colour"
    path = tmp_path / "names.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="has the outputs"):
        open_backend("onnxruntime", load_model(path))

    value = helper.make_tensor_value_info
    shape = ["N", 1, "H", "W"]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["luminance", "hints"], ["chroma"]),
            helper.make_node("Identity", ["luminance"], ["doubt"]),
        ],
        "g",
        [value("luminance", TensorProto.FLOAT, shape), value("hints", TensorProto.FLOAT, shape)],
        [value("chroma", TensorProto.FLOAT, shape), value("doubt", TensorProto.FLOAT, shape)],
    )
    wrong = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    wrong.metadata_props.add(key=CARD_KEY, value=json.dumps(CARD))
    onnx.save(wrong, tmp_path / "channels.onnx")
    with pytest.raises(ModelError, match=r"has hints as float32 .*not float32 \(N, 3, H, W\)"):
        open_backend("onnxruntime", load_model(tmp_path / "channels.onnx"))


def test_an_unknown_backend_lists_the_known_ones(tiny_model_path: Path) -> None:
    with pytest.raises(BackendError, match="There is no backend abacus") as caught:
        open_backend("abacus", load_model(tiny_model_path))
    assert "onnxruntime" in caught.value.hint


def test_a_required_gpu_is_not_replaced_by_the_cpu(tiny_model_path: Path) -> None:
    with pytest.raises(BackendError, match="GPU was required"):
        open_backend("onnxruntime", load_model(tiny_model_path), require_gpu=True)
