"""The ONNX graph that an engine is built from: its precision is decided here, since networks are strongly typed."""

import warnings
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ..contract import OUTPUT_COLOURS
from ..errors import BackendError, ModelError
from ..installation.packages import install_command
from ..model import Model, check_signature

GRAPH_RECIPE: Final = 3
"""Counts changes of this module that change graphs: engines of another number are built again."""


class Precision(StrEnum):
    """What an engine computes in; its inputs and outputs are float32 either way."""

    FP16 = "fp16"
    FP32 = "fp32"


def graph_for(model: Model, precision: Precision) -> onnx.ModelProto:
    """Return the model's graph in the precision asked for, inputs and outputs float32.

    Raises:
        ModelError: it breaks the model contract.
        BackendError: the converter is not installed.
    """
    graph = float32_graph(model)
    return graph if precision is Precision.FP32 else half_precision_graph(graph)


def float32_graph(model: Model) -> onnx.ModelProto:
    """Return the model's graph with its half-precision weights folded to float32.

    The shipped file stores weights as float16 followed by a Cast: the file is half as large.  Converted as it is, every
    such Cast would stay in the graph and keep the arithmetic behind it in float32.

    Raises:
        ModelError: it breaks the model contract.
    """
    graph = onnx.load_model_from_string(model.data)
    check_graph(model, graph)
    _drop_colours(graph)
    halves = {w.name: w for w in graph.graph.initializer if w.data_type == TensorProto.FLOAT16}
    folded: set[str] = set()
    kept = []
    for node in graph.graph.node:
        if node.op_type == "Cast" and node.input[0] in halves and _cast_target(node) == TensorProto.FLOAT:
            values = numpy_helper.to_array(halves[node.input[0]]).astype(np.float32)
            graph.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            folded.add(node.input[0])
        else:
            kept.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(kept)
    still_used = {name for node in kept for name in node.input}
    taken: set[str] = set()
    for index, node in enumerate(graph.graph.node):
        # The converter names what it adds after the nodes, and the parser's errors name them.
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)
    weights = [w for w in graph.graph.initializer if w.name not in folded or w.name in still_used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(weights)
    return graph


def _drop_colours(graph: onnx.ModelProto) -> None:
    """Take the suggestions and what only they need out of a graph: an engine colours pictures, nothing else."""
    outputs = [o for o in graph.graph.output if o.name != OUTPUT_COLOURS]
    if len(outputs) == len(graph.graph.output):
        return
    needed = {o.name for o in outputs}
    kept = []
    for node in reversed(graph.graph.node):  # in an ONNX graph what is needed stands before what needs it
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    kept.reverse()
    weights = [w for w in graph.graph.initializer if w.name in needed]
    del graph.graph.output[:], graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.output.extend(outputs)
    graph.graph.node.extend(kept)
    graph.graph.initializer.extend(weights)


def half_precision_graph(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a float32 graph that computes in float16 between float32 inputs and outputs.

    Raises:
        BackendError: onnxconverter-common is not installed.
    """
    try:
        from onnxconverter_common.float16 import convert_float_to_float16
    except ImportError as error:
        raise BackendError(
            "Half precision needs onnxconverter-common, which is not installed.",
            f"Install it: {install_command('onnxconverter-common')}; or build with --precision fp32.",
        ) from error
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)  # the converter changes what it is given
    _detach_outputs(copy)
    wide = wide_range_nodes(graph)
    _divide_weights(copy, wide)
    casts = {
        node.name
        for node in graph.graph.node
        if node.op_type == "Cast" and _cast_target(node) == TensorProto.FLOAT and node.name not in wide
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one for each weight too small for float16; the comparison judges the whole
        halved: onnx.ModelProto = convert_float_to_float16(copy, keep_io_types=True, node_block_list=sorted(wide))
    for node in halved.graph.node:
        # It takes every result for float16, those of the network's own casts to float32 too, and leaves these alone.
        if node.op_type == "Cast" and node.name in casts:
            next(a for a in node.attribute if a.name == "to").i = TensorProto.FLOAT16
    _join_wide_nodes(halved, {node.name for node in graph.graph.node})
    return halved


def _divide_weights(graph: onnx.ModelProto, wide: set[str]) -> None:
    """Give the wide nodes weights of their own: the converter turns one that it meets in both kinds into one kind only.

    Args:
        graph: changed.
        wide: names of the nodes that stay in float32.
    """
    users = {True: set[str](), False: set[str]()}
    for node in graph.graph.node:
        users[node.name in wide].update(node.input)
    in_both = users[True] & users[False]
    floats = [w for w in graph.graph.initializer if w.data_type == TensorProto.FLOAT]
    shared = {w.name: f"{w.name}.wide" for w in floats if w.name in in_both}
    for weight in [w for w in floats if w.name in shared]:
        own = graph.graph.initializer.add()
        own.CopyFrom(weight)
        own.name = shared[weight.name]
    for node in graph.graph.node:
        if node.name in wide:
            node.input[:] = [shared.get(name, name) for name in node.input]


def _join_wide_nodes(halved: onnx.ModelProto, own: set[str]) -> None:
    """Take away the float16 between neighbours that both stay in float32.

    The converter casts the results of each such node to float16, and back for the next: what has to stay wide would
    overflow in between.

    Args:
        halved: from the converter; changed.
        own: names of the network's own nodes.
    """
    added = [n for n in halved.graph.node if n.op_type == "Cast" and n.name not in own]
    narrowed = {n.output[0]: n.input[0] for n in added if _cast_target(n) == TensorProto.FLOAT16}
    widened = {n.output[0]: n.input[0] for n in added if _cast_target(n) == TensorProto.FLOAT}
    same = {wide: narrowed[half] for wide, half in widened.items() if half in narrowed}
    for node in halved.graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
    kept = list(halved.graph.node)
    for _ in range(2):  # first the casts back, then those that only they had used
        used = {name for node in kept for name in node.input} | {o.name for o in halved.graph.output}
        kept = [n for n in kept if n.op_type != "Cast" or n.name in own or n.output[0] in used]
    del halved.graph.node[:]
    halved.graph.node.extend(kept)


def wide_range_nodes(graph: onnx.ModelProto) -> set[str]:
    """Return the names of the nodes that must stay in float32: attention that is written out around an exponential.

    float16 ends at 65504, which is exp(11.1), and has three digits, too few for the squared distances inside the
    exponent.  So everything stays wide from the last convolution before an Exp to the Div that makes weights of it.
    """
    makers = {name: node for node in graph.graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    wide: set[str] = set()

    def add(found: list[onnx.NodeProto], step: Callable[[onnx.NodeProto], list[onnx.NodeProto]]) -> None:
        while found:
            node = found.pop()
            if node.name not in wide:
                wide.add(node.name)
                found += step(node)

    def before(node: onnx.NodeProto) -> list[onnx.NodeProto]:
        earlier = [makers[name] for name in node.input if name in makers]
        return [n for n in earlier if n.op_type != "Conv"]

    def after(node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return [] if node.op_type == "Div" else [n for name in node.output for n in users.get(name, [])]

    for node in graph.graph.node:
        if node.op_type == "Exp":
            add(before(node), before)
            add([node], after)
    return wide


def rounded_graph(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a float32 graph that rounds every weight and every result to float16, but in the wide nodes.

    This is what shows on a processor how a GPU will compute: ONNX Runtime has no float16 kernels for processors, runs a
    converted graph in float32 and rounds only here and there, so that even an overflow stays unseen.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    wide = wide_range_nodes(graph)
    typed = onnx.shape_inference.infer_shapes(graph).graph
    floats = {v.name for v in typed.value_info if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    for weight in copy.graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            with np.errstate(over="ignore"):
                rounded = numpy_helper.to_array(weight).astype(np.float16).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(rounded, weight.name))
    renamed: dict[str, str] = {}
    nodes = []
    for node in copy.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        nodes.append(node)
        for name in node.output:
            if name in floats and node.name not in wide:
                renamed[name] = f"{name}.rounded"
                half = onnx.helper.make_node("Cast", [name], [f"{name}.half"], to=TensorProto.FLOAT16)
                back = onnx.helper.make_node("Cast", [f"{name}.half"], [renamed[name]], to=TensorProto.FLOAT)
                nodes += [half, back]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    return copy


def _detach_outputs(graph: onnx.ModelProto) -> None:
    """Put an Identity before each output.

    The converter leaves some operators (Resize) in float32, and casts their results to float16, even where such a
    result is an output that it was told to keep.
    """
    for output in graph.graph.output:
        inner = f"{output.name}.inner"
        for node in graph.graph.node:
            for names in (node.input, node.output):
                names[:] = [inner if name == output.name else name for name in names]
        graph.graph.node.append(onnx.helper.make_node("Identity", [inner], [output.name], name=f"{output.name}.out"))


def _cast_target(node: onnx.NodeProto) -> int:
    return next(int(a.i) for a in node.attribute if a.name == "to")


def _described(values: object, graph: onnx.ModelProto) -> dict[str, tuple[str, list[object]]]:
    """Return name to (element type, shape) of a graph's inputs or outputs, as `check_signature` wants them."""
    initialisers = {w.name for w in graph.graph.initializer}
    found: dict[str, tuple[str, list[object]]] = {}
    for value in values:  # type: ignore[attr-defined] # protobuf's container of messages has no public name
        if value.name in initialisers:
            continue
        kind = value.type.tensor_type
        element = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)).name if kind.elem_type else "unknown"
        found[value.name] = (element, [d.dim_param or d.dim_value for d in kind.shape.dim])
    return found


def check_graph(model: Model, graph: onnx.ModelProto) -> None:
    """Check inputs and outputs against the model contract.

    Raises:
        ModelError: the graph breaks it.
    """
    check_signature(model, _described(graph.graph.input, graph), _described(graph.graph.output, graph))


def check_dynamic(model: Model, graph: onnx.ModelProto) -> None:
    """Check that batch, height and width are free: an engine for one shape only could not take a photograph.

    Raises:
        ModelError: one of them is fixed.
    """
    for name, (_, shape) in _described(graph.graph.input, graph).items():
        if any(isinstance(shape[axis], int) and shape[axis] for axis in (0, 2, 3)):
            raise ModelError(
                f"The model {model.path} has {name} fixed at {shape}, not (N, C, H, W) of any size.",
                "Export it with dynamic axes: colorize-train export does.",
            )
