"""ONNX files that break something, made from the tiny model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from colorize_server.contract import CARD_KEY, INPUT_LUMINANCE, OUTPUT_DOUBT
from onnx import TensorProto, helper, numpy_helper
from tiny_model import tiny_model

TINY_CHROMA_LIMIT = 0.3
"""Network units; the tiny model's automatic chroma stays below it."""


def write_changed(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """Write the tiny model after `change` has changed it."""
    model = tiny_model()
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def store_weights_in_half(model: onnx.ModelProto) -> None:
    """Store the convolutions' weights as float16 behind a Cast, as the shipped model does."""
    for name in ("slope", "doubt_slope"):
        weight = next(w for w in model.graph.initializer if w.name == name)
        half = numpy_helper.to_array(weight).astype(np.float16)
        weight.CopyFrom(numpy_helper.from_array(half, name + ".half"))
        cast = helper.make_node("Cast", [name + ".half"], [name], name=name + ".cast", to=TensorProto.FLOAT)
        model.graph.node.insert(0, cast)


def add_own_cast(model: onnx.ModelProto) -> None:
    """Put a cast to float32, that does nothing, before an output: networks trained with mixed precision have them."""
    last = next(n for n in model.graph.node if OUTPUT_DOUBT in n.output)
    last.output[0] = "doubt_before_cast"
    model.graph.node.append(helper.make_node("Cast", ["doubt_before_cast"], [OUTPUT_DOUBT], to=TensorProto.FLOAT))


def use_unknown_operator(model: onnx.ModelProto) -> None:
    """Use an operator that ONNX has and TensorRT has not."""
    last = next(n for n in model.graph.node if OUTPUT_DOUBT in n.output)
    last.output[0] = "doubt_before"
    model.graph.node.append(helper.make_node("Det", ["square"], ["determinant"], name="the_determinant"))
    model.graph.initializer.append(numpy_helper.from_array(np.eye(2, dtype=np.float32), "square"))
    model.graph.node.append(helper.make_node("Mul", ["doubt_before", "determinant"], [OUTPUT_DOUBT]))


def need_more_than_half_precision(model: onnx.ModelProto) -> None:
    """Scale by 10 000 twice, and back: beyond the largest float16."""
    conv = next(n for n in model.graph.node if n.op_type == "Conv" and n.input[0] == INPUT_LUMINANCE)
    conv.input[0] = "scaled_back"
    nodes = [
        helper.make_node("Mul", [INPUT_LUMINANCE, "much"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "much"], ["scaled_twice"]),
        helper.make_node("Div", ["scaled_twice", "much"], ["scaled_once"]),
        helper.make_node("Div", ["scaled_once", "much"], ["scaled_back"]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1e4), "much"))


def rename_an_output(model: onnx.ModelProto) -> None:
    """Call the doubt something else."""
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            if name == OUTPUT_DOUBT:
                node.output[i] = "certainty"
    next(o for o in model.graph.output if o.name == OUTPUT_DOUBT).name = "certainty"


def fix_the_size(model: onnx.ModelProto) -> None:
    """Take pictures of 64 x 64 only."""
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for axis, size in ((0, 1), (2, 64), (3, 64)):
            dims[axis].dim_value = size


def become_another_version(model: onnx.ModelProto) -> None:
    """Change the card, and with it the file's checksum."""
    entry = next(p for p in model.metadata_props if p.key == CARD_KEY)
    entry.value = json.dumps({**json.loads(entry.value), "version": "2"})
