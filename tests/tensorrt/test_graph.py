"""Precision of the graph that an engine is built from."""

from pathlib import Path

import graphs
import numpy as np
import onnx
import onnxruntime
import pytest
from colorize_server.errors import BackendError, ModelError
from colorize_server.model import Model, load_model
from colorize_server.samples import network_inputs, sample_paths
from colorize_server.tensorrt.build import BuildRequest, build_engine, recipe_for
from colorize_server.tensorrt.difference import LARGEST_MEAN, chroma_difference, run_onnx
from colorize_server.tensorrt.flavours import RTX
from colorize_server.tensorrt.graph import Precision, float32_graph, graph_for, half_precision_graph, rounded_graph
from colorize_server.tensorrt.library import Library
from onnx import TensorProto
from tiny_model import write_tiny_model


def kinds_of_weights(graph: onnx.ModelProto) -> set[int]:
    return {w.data_type for w in graph.graph.initializer if w.data_type != TensorProto.INT64}


def test_stored_half_weights_are_folded_to_float32(tmp_path: Path) -> None:
    model = load_model(graphs.write_changed(tmp_path / "half.onnx", graphs.store_weights_in_half))
    graph = float32_graph(model)
    assert kinds_of_weights(graph) == {TensorProto.FLOAT}
    assert not [n for n in graph.graph.node if n.op_type == "Cast"]
    inputs = network_inputs(sample_paths()[:1], 64, 32)
    assert (
        chroma_difference([(run_onnx(model.data, inputs)[0], run_onnx(graph.SerializeToString(), inputs)[0])]).largest
        == 0
    )


def test_the_shipped_models_weights_are_folded(shipped_model: Model) -> None:
    original = onnx.load_model_from_string(shipped_model.data)
    assert TensorProto.FLOAT16 in kinds_of_weights(original)
    assert kinds_of_weights(float32_graph(shipped_model)) == {TensorProto.FLOAT}


def test_half_precision_keeps_float32_at_the_doors_and_computes_in_float16(shipped_model: Model) -> None:
    graph = graph_for(shipped_model, Precision.FP16)
    doors = [v.type.tensor_type.elem_type for v in (*graph.graph.input, *graph.graph.output)]
    assert set(doors) == {TensorProto.FLOAT}
    weights = {w.name: w.data_type for w in graph.graph.initializer}
    convolutions = [n for n in graph.graph.node if n.op_type == "Conv"]
    assert convolutions
    assert {weights[n.input[1]] for n in convolutions} == {TensorProto.FLOAT16}


def test_engines_are_built_without_suggestions(tmp_path: Path) -> None:
    model = load_model(write_tiny_model(tmp_path / "colours.onnx", suggests=True))
    plain = load_model(graphs.write_changed(tmp_path / "plain.onnx", lambda model: None))
    assert len(onnx.load_model_from_string(model.data).graph.output) == 3
    assert float32_graph(model).graph == float32_graph(plain).graph


def test_rounding_rounds_every_step(tmp_path: Path) -> None:
    model = load_model(graphs.write_changed(tmp_path / "much.onnx", graphs.need_more_than_half_precision))
    inputs = network_inputs(sample_paths()[:1], 64, 32)
    exact = float32_graph(model)
    chroma = run_onnx(rounded_graph(exact).SerializeToString(), inputs)[0]
    assert not np.isfinite(chroma).all()  # 10 000 times 10 000 is no float16 any more
    assert np.isfinite(run_onnx(exact.SerializeToString(), inputs)[0]).all()


def test_the_original_is_left_as_it_was(shipped_model: Model) -> None:
    exact = float32_graph(shipped_model)
    before = exact.SerializeToString(deterministic=True)
    half_precision_graph(exact)
    assert exact.SerializeToString(deterministic=True) == before


def test_a_networks_own_casts_survive_the_conversion(tmp_path: Path) -> None:
    model = load_model(graphs.write_changed(tmp_path / "cast.onnx", graphs.add_own_cast))
    graph = graph_for(model, Precision.FP16)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    one = network_inputs(sample_paths()[:1], 64, 32)[0]
    _, doubt = session.run(None, {"luminance": one.luminance, "hints": one.hints})
    np.testing.assert_allclose(doubt, 0.1 + 0.05 * one.luminance, atol=1e-3)


def test_the_shipped_models_colours_survive_half_precision_on_real_photographs(
    shipped_model: Model, photographs: Path
) -> None:
    exact = float32_graph(shipped_model)
    card = shipped_model.card
    inputs = network_inputs(sorted(photographs.glob("*.jpg"))[:2], card.sizes[0], card.multiple_of, with_hints=True)
    expected, converted, rounded = (
        run_onnx(graph.SerializeToString(), inputs)
        for graph in (exact, half_precision_graph(exact), rounded_graph(exact))
    )
    assert 0 < chroma_difference(list(zip(expected, converted, strict=True))).mean <= LARGEST_MEAN
    assert 0 < chroma_difference(list(zip(expected, rounded, strict=True))).mean <= LARGEST_MEAN


def test_a_weight_may_serve_a_wide_and_a_narrow_node() -> None:
    def plain(op: str, inputs: list[str], output: str) -> onnx.NodeProto:
        return onnx.helper.make_node(op, inputs, [output], name=f"{op}_{output}")

    shape = [2, 3]
    nodes = [
        plain("Mul", ["x", "factor"], "scaled"),  # before the Exp: stays in float32
        plain("Exp", ["scaled"], "weight"),
        plain("Div", ["weight", "factor"], "divided"),
        plain("Relu", ["divided"], "positive"),
        plain("Mul", ["positive", "factor"], "y"),  # behind the Div: float16
    ]
    doors = [onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    factor = onnx.numpy_helper.from_array(np.float32([1.25]), "factor")
    exact = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "shared", doors[:1], doors[1:], [factor]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(shape)
    session = onnxruntime.InferenceSession(
        half_precision_graph(exact).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.exp(1.25 * x), rtol=2e-3)


def test_a_network_that_needs_more_than_half_precision_is_not_built(tmp_path: Path, rtx: Library) -> None:
    model = load_model(graphs.write_changed(tmp_path / "much.onnx", graphs.need_more_than_half_precision))
    recipe = recipe_for(model, RTX, rtx, BuildRequest(), None)
    with pytest.raises(BackendError, match=r"Half precision changes the colours of tiny.*--precision fp32"):
        build_engine(model, RTX, rtx, recipe)
    engine, card = build_engine(
        model, RTX, rtx, recipe_for(model, RTX, rtx, BuildRequest(Precision.FP32, sizes=(64,)), None)
    )
    assert len(engine) == card.engine_bytes


def test_a_graph_that_breaks_the_contract_is_refused(tmp_path: Path) -> None:
    model = load_model(graphs.write_changed(tmp_path / "wrong.onnx", graphs.rename_an_output))
    with pytest.raises(ModelError, match=r"has the outputs \['certainty', 'chroma'\]"):
        float32_graph(model)


def test_the_difference_of_chroma_is_in_ab_units_and_not_finite_is_infinitely_far() -> None:
    zeros = np.zeros((1, 2, 8, 8), np.float32)
    other = zeros.copy()
    other[0, 0] = 3 / 110
    other[0, 1] = 4 / 110
    assert chroma_difference([(zeros, other)]).mean == pytest.approx(5, rel=1e-5)
    other[0, 0, 0, 0] = np.nan
    assert chroma_difference([(zeros, other)]).p999 == np.inf
