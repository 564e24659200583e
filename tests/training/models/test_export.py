"""The exported model: the contract's names and shapes, its card, its numbers, and the way back for finetune."""

import copy
import json
import logging
import zlib
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from colorize_server import contract
from colorize_server.model import load_model
from colorize_training.config import ModelConfig
from colorize_training.errors import CheckpointError, ExportError
from colorize_training.models import export as export_module
from colorize_training.models.comparison import apart, largest_difference, sample_photographs
from colorize_training.models.export import CardFacts, export_generator
from colorize_training.models.onnx_weights import weights_from_onnx
from colorize_training.models.rounding import round_to_steps, round_weights
from colorize_training.networks.decoding import Decoded, Decoding
from colorize_training.networks.generator import build_generator, fold_batch_norms
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

MODEL = ModelConfig(encoder="lite0", pretrained=False)
FACTS = CardFacts("tiny", "1.2", (320, 256), 256, decoding=Decoding(gain=1.25))


def test_differences_to_pytorch_are_within_the_bars(exported):
    _, path, report = exported
    assert report["float32"] <= 1e-5
    assert report["half"] <= 2e-3
    assert report["bytes"] == path.stat().st_size
    assert report["opset"] >= 18


def test_names_types_and_dynamic_shapes_are_the_contract(exported):
    _, path, _ = exported
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert {i.name: i.type for i in session.get_inputs()} == {
        contract.INPUT_LUMINANCE: "tensor(float)",
        contract.INPUT_HINTS: "tensor(float)",
    }
    assert [o.name for o in session.get_outputs()] == [contract.OUTPUT_CHROMA, contract.OUTPUT_DOUBT]
    for batch, height, width in ((1, 32, 32), (3, 64, 160), (1, 288, 96)):
        feeds = {
            contract.INPUT_LUMINANCE: np.zeros((batch, 1, height, width), np.float32),
            contract.INPUT_HINTS: np.zeros((batch, 3, height, width), np.float32),
        }
        chroma, doubt = session.run(None, feeds)
        assert chroma.shape == (batch, 2, height, width)
        assert doubt.shape == (batch, 1, height, width)
        assert chroma.dtype == doubt.dtype == np.float32


def test_the_server_reads_the_card_and_the_checksum(exported):
    _, path, _ = exported
    model = load_model(path)
    assert (model.card.name, model.card.version, model.card.multiple_of) == ("tiny", "1.2", 32)
    assert model.card.sizes == (256, 320)
    assert model.card.saturation == 1.0
    assert model.card.rest["training"]["gain"] == 1.25
    assert path.with_suffix(".sha256").read_text().startswith(model.sha256)


def test_weights_are_stored_in_half_precision_and_nothing_tells_where_it_was_made(exported):
    _, path, _ = exported
    proto = onnx.load(path)
    sizes = dict.fromkeys((onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16), 0)
    for initializer in proto.graph.initializer:
        if initializer.data_type in sizes:
            sizes[initializer.data_type] += int(np.prod(initializer.dims))
    assert sizes[onnx.TensorProto.FLOAT16] > 100 * sizes[onnx.TensorProto.FLOAT]
    assert b"/training/" not in path.read_bytes()
    assert b"site-packages" not in path.read_bytes()


def test_the_way_back_gives_the_same_network(exported):
    generator, path, _ = exported
    config, weights, seen = weights_from_onnx(path)
    assert seen == 1234
    assert config == replace(MODEL, folded_batch_norm=True)
    again = build_generator(config)
    again.load_state_dict(weights)
    expected = fold_batch_norms(generator)
    hints = torch.zeros(1, 3, 64, 64)
    hints[:, :, 5:9, 5:9] = 0.4
    luminance = torch.linspace(-1, 1, 64)[None, None, None, :].expand(1, 1, 64, 64).contiguous()
    with torch.inference_mode():
        for one, other, gain in zip(again(luminance, hints), expected(luminance, hints), (1.25, 1.0), strict=True):
            assert (one - other * gain).abs().max() < 2e-3


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(-8, 8, width=32)), st.floats(0.01, 1))
def test_rounded_weights_are_near_and_held_by_half_precision(weight, share):
    rounded = round_to_steps(weight, share)
    spread = np.maximum(weight.reshape(3, -1).std(axis=1) * share, 2.0**-24)[:, None, None]
    assert (np.abs(rounded - weight) <= spread * 2**0.5 / 2 * (1 + 1e-5)).all()
    held = np.abs(rounded) <= 2000 * spread  # of so many steps half precision has each
    assert (rounded.astype(np.float16) == rounded)[held].all()


def test_weights_in_coarser_steps_compress_better():
    """That such a model is exported, exact in half precision, is shown by the smoke run."""
    weights = np.random.default_rng(4).normal(0, 0.05, (50, 1000)).astype(np.float32)
    packed = [len(zlib.compress(w.astype(np.float16).tobytes())) for w in (weights, round_to_steps(weights, 0.04))]
    assert packed[1] < 0.7 * packed[0]


def test_the_gain_reaches_the_networks_colours_and_not_the_painters(exported):
    generator, path, _ = exported
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    luminance = torch.linspace(-1, 1, 64)[None, None, None, :].expand(1, 1, 64, 64).contiguous()
    hints = torch.zeros(1, 3, 64, 64)
    hints[:, :, 5:9, 5:9] = 0.4
    softer = torch.cat([hints[:, :2] / 1.25, hints[:, 2:]], dim=1)
    with torch.inference_mode():
        for painted, given in ((torch.zeros_like(hints), torch.zeros_like(hints)), (hints, softer)):
            (chroma,) = session.run(["chroma"], {"luminance": luminance.numpy(), "hints": painted.numpy()})
            assert np.abs(chroma - 1.25 * generator(luminance, given)[0].numpy()).max() < 2e-3


def test_a_wrong_graph_is_refused(exported, tmp_path, monkeypatch):
    generator, path, _ = exported
    proto = onnx.load(path)
    assert largest_difference(proto, generator, 32) > 1e-5  # the gain is not in this network

    monkeypatch.setattr(export_module, "_onnx_from_torch", lambda network, multiple, has_colours: proto)
    other = build_generator(MODEL).eval()
    with pytest.raises(ExportError, match="differs from PyTorch"):
        export_generator(other, FACTS, tmp_path / "wrong.onnx")
    assert not (tmp_path / "wrong.onnx").exists()


def test_the_shipped_file_is_compared_with_the_trained_network_and_its_card_says_how_far_it_is(exported):
    _, path, report = exported
    training = load_model(path).card.rest["training"]
    assert 0 < report["mean_chroma"] < report["largest_chroma"] < 3
    assert training["mean_chroma_distance"] == pytest.approx(report["mean_chroma"], abs=0.01)
    assert training["largest_chroma_distance"] == pytest.approx(report["largest_chroma"], abs=0.1)
    assert training["weight_step"] == 0


def test_rounding_that_changes_the_colours_is_refused(exported, tmp_path, monkeypatch):
    """The graph agrees with its own rounded weights, as it always does; the trained network had other colours."""
    generator, path, _ = exported
    trained = copy.deepcopy(generator)
    with torch.no_grad():
        trained.chroma_head.bias += 0.1
    monkeypatch.setattr(export_module, "_onnx_from_torch", lambda network, multiple, has_colours: onnx.load(path))
    monkeypatch.setattr(export_module, "largest_difference", lambda *_: 0.0)
    with pytest.raises(ExportError, match=r"steps of 0.04 .* from those of the trained network") as caught:
        export_generator(trained, replace(FACTS, weight_step=0.04), tmp_path / "pale.onnx")
    assert caught.value.remedy == "Use --weight-step 0.02, which fits."
    assert not (tmp_path / "pale.onnx").exists()


def test_a_short_run_is_exported(exported, tmp_path):
    """Rounding to half precision moves its answers by more than a graph may differ, and its colours by little."""
    young = copy.deepcopy(exported[0])
    with torch.no_grad():
        young.chroma_head.weight *= 30
    report = export_generator(young, FACTS, tmp_path / "young.onnx")
    assert report["half"] <= 2e-3
    assert report["largest_chroma"] / contract.CHROMA_SCALE > 2e-3  # by which it was refused
    assert report["mean_chroma"] < 1


def test_the_exporter_says_nothing_of_torchvision(monkeypatch):
    """Four lines on stderr at each export, of operators that no network here has."""
    said = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: said.append(record.getMessage()))
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    registry.addHandler(handler)
    try:
        with export_module._quiet_exporter():
            registry.warning("torchvision is not installed. Skipping %s", "torchvision::nms")
            registry.warning("another thing")
        registry.warning("torchvision is not installed, outside")
    finally:
        registry.removeHandler(handler)
    assert said == ["another thing", "torchvision is not installed, outside"]


def test_the_step_that_is_named_is_the_largest_that_fits(exported):
    trained = Decoded(exported[0], FACTS.decoding).eval()
    folded = fold_batch_norms(exported[0])
    step = export_module._step_that_fits(folded, trained, FACTS.decoding, 8.0)
    luminance, hints = sample_photographs(32)
    moved = []
    for share in (step, 2 * step):
        rounded = copy.deepcopy(folded)
        round_weights(rounded, share)
        with torch.inference_mode():
            given = Decoded(rounded, FACTS.decoding).eval()(luminance, hints)[0]
            moved.append(apart(given, trained(luminance, hints)[0]).mean)
    assert 0 < step < 8
    assert moved[0] <= 1 < moved[1]


def test_a_model_of_another_program_is_refused(exported, tmp_path):
    _, path, _ = exported
    proto = onnx.load(path)
    card = next(p for p in proto.metadata_props if p.key == contract.CARD_KEY)
    card.value = json.dumps({k: v for k, v in json.loads(card.value).items() if k != "training"})
    foreign = tmp_path / "foreign.onnx"
    onnx.save(proto, foreign)
    with pytest.raises(CheckpointError, match="does not say how it was trained"):
        weights_from_onnx(foreign)
    foreign.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        weights_from_onnx(foreign)
