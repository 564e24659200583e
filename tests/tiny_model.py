"""A generator of a few hundred bytes that keeps the model contract, for tests that are not about colour.

Its chroma is a smooth function of lightness and it obeys hints where they cover: enough to see that planes arrive in
the right place, in the right order and with the right sign.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from colorize_server.contract import (
    CARD_KEY,
    CHROMA_SCALE,
    COLOURS_STRIDE,
    INPUT_HINTS,
    INPUT_LUMINANCE,
    OUTPUT_CHROMA,
    OUTPUT_COLOURS,
    OUTPUT_DOUBT,
)
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "name": "tiny",
    "version": "1",
    "multiple_of": 32,
    "sizes": [64, 128, 256],
    "default_size": 128,
    "licence": "Apache-2.0",
}


SUGGESTED_SHARE = 0.4
"""Of the first suggestion, which is the mean chroma of its cell."""
ALSO_SUGGESTED = ((3, 3, 0.2), (1, 3, 0.15), (34, 22, 0.1), (-18, -30, 0.08), (40, -40, 0.05), (3, 58, 0.02))
"""a*, b* and share of the other suggestions, of every cell; the first two are both nearly grey."""


def tiny_model(card: dict[str, object] | None = None, *, suggests: bool = False) -> onnx.ModelProto:
    """Return the model: chroma = (0.2 - 0.1 l, 0.15 + 0.1 l) (1 - c) + hint c, doubt = 0.1 + 0.05 l.

    With `suggests` it is of version 2 of the contract and gives `colours` as well.
    """

    def constant(name: str, values: object) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(values, np.float32), name)

    def shape(channels: int) -> list[object]:
        return ["N", channels, "H", "W"]

    nodes = [
        helper.make_node("Conv", [INPUT_LUMINANCE, "slope", "offset"], ["auto"]),
        helper.make_node("Slice", [INPUT_HINTS, "i0", "i2", "i1"], ["hint_ab"]),
        helper.make_node("Slice", [INPUT_HINTS, "i2", "i3", "i1"], ["cover"]),
        helper.make_node("Sub", ["one", "cover"], ["bare"]),
        helper.make_node("Mul", ["auto", "bare"], ["auto_part"]),
        helper.make_node("Mul", ["hint_ab", "cover"], ["hint_part"]),
        helper.make_node("Add", ["auto_part", "hint_part"], [OUTPUT_CHROMA]),
        helper.make_node("Conv", [INPUT_LUMINANCE, "doubt_slope", "doubt_offset"], [OUTPUT_DOUBT]),
    ]
    integers = {"i0": 0, "i1": 1, "i2": 2, "i3": 3}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(INPUT_LUMINANCE, TensorProto.FLOAT, shape(1)),
            helper.make_tensor_value_info(INPUT_HINTS, TensorProto.FLOAT, shape(3)),
        ],
        [
            helper.make_tensor_value_info(OUTPUT_CHROMA, TensorProto.FLOAT, shape(2)),
            helper.make_tensor_value_info(OUTPUT_DOUBT, TensorProto.FLOAT, shape(1)),
        ],
        [
            constant("slope", [[[[-0.1]]], [[[0.1]]]]),
            constant("offset", [0.2, 0.15]),
            constant("doubt_slope", [[[[0.05]]]]),
            constant("doubt_offset", [0.1]),
            constant("one", 1.0),
            *(numpy_helper.from_array(np.array([v], np.int64), k) for k, v in integers.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    card = dict(CARD if card is None else card)
    if suggests:
        card["contract"] = 2
        _give_colours(model.graph)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, json.dumps(card)
    onnx.checker.check_model(model)
    return model


def _give_colours(graph: onnx.GraphProto) -> None:
    """Add the output `colours`."""
    pool = {"kernel_shape": [COLOURS_STRIDE] * 2, "strides": [COLOURS_STRIDE] * 2}
    graph.node.extend(
        [
            helper.make_node("AveragePool", [OUTPUT_CHROMA], ["cell_chroma"], **pool),
            helper.make_node("AveragePool", [OUTPUT_DOUBT], ["cell_doubt"], **pool),
            helper.make_node("Mul", ["cell_doubt", "nothing"], ["no_share"]),
            helper.make_node("Add", ["no_share", "first_share"], ["cell_share"]),
            helper.make_node("Concat", ["cell_chroma", "cell_share"], ["flat"], axis=1),
            helper.make_node("Unsqueeze", ["flat", "axis_of_colours"], ["first"]),
            helper.make_node("Mul", ["first", "nothing"], ["no_colour"]),
            helper.make_node("Add", ["no_colour", "other_colours"], ["others"]),
            helper.make_node("Concat", ["first", "others"], [OUTPUT_COLOURS], axis=1),
        ]
    )
    others = np.array(ALSO_SUGGESTED, np.float32) / [CHROMA_SCALE, CHROMA_SCALE, 1]
    values = {
        "nothing": np.float32(0),
        "first_share": np.float32(SUGGESTED_SHARE),
        "axis_of_colours": np.array([1], np.int64),
        "other_colours": others.astype(np.float32)[None, :, :, None, None],
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in values.items())
    shape = ["N", 1 + len(ALSO_SUGGESTED), 3, "h", "w"]
    graph.output.append(helper.make_tensor_value_info(OUTPUT_COLOURS, TensorProto.FLOAT, shape))


def write_tiny_model(path: Path, card: dict[str, object] | None = None, *, suggests: bool = False) -> Path:
    """Write the model to `path` and return it."""
    path.write_bytes(tiny_model(card, suggests=suggests).SerializeToString())
    return path
