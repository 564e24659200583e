"""Export a generator to the ONNX file of the model contract: half-precision weights, float32 arithmetic, its card."""

import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from colorize_server import contract
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from colorize_training.config import config_to_dict
from colorize_training.errors import ExportError
from colorize_training.files import write_atomically
from colorize_training.models.checkpoint import read_checkpoint
from colorize_training.models.comparison import (
    ChromaDistance,
    apart,
    chroma_distance,
    largest_difference,
    sample_photographs,
)
from colorize_training.models.onnx_weights import HALF_SUFFIX, SCALARS_KEY, WRAPPER_PREFIX
from colorize_training.models.rounding import SMALL_WEIGHTS, round_weights
from colorize_training.networks.decoding import DEFAULT_DECODING, Decoded, Decoding
from colorize_training.networks.generator import (
    Generator,
    build_generator,
    fold_batch_norms,
)

OPSET: Final = 18
FLOAT32_TOLERANCE: Final = 1e-5
HALF_TOLERANCE: Final = 2e-3
"""Largest |ONNX Runtime - PyTorch|, both with the same rounded weights, in network units that an export may show."""

MEAN_CHROMA_LIMIT: Final = 1.0
"""Mean distance, a*b* units, of the shipped file's colours from the trained float32 network's that an export may show.

The default generator's by :func:`chroma_distance`: 0.07 in half precision, 0.08 with a step of 1/24 besides (10.2 MB
compressed instead of 15.1).  The largest distance is told but has no bar: a few pixels flip wherever two colours are
equally likely.
"""

_STEP_HALVINGS: Final = 8


@dataclass(frozen=True)
class CardFacts:
    """What the exporter is told about the model; see ``contract.CARD_KEY``."""

    name: str
    version: str
    sizes: tuple[int, ...]
    default_size: int
    licence: str = "Apache-2.0"
    decoding: Decoding = DEFAULT_DECODING  # put into the graph
    weight_step: float = 0.0  # step of the large convolutions' weights, see round_to_steps; 0 = half precision
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


def _is_of_our_network(record: logging.LogRecord) -> bool:
    return "torchvision is not installed" not in record.getMessage()


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep back what PyTorch's exporter says of itself: deprecations, and that operators of torchvision are missing."""
    registry = logging.getLogger("torch.onnx._internal.exporter._registration")
    registry.addFilter(_is_of_our_network)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        registry.removeFilter(_is_of_our_network)


def _onnx_from_torch(network: nn.Module, multiple_of: int, has_colours: bool) -> onnx.ModelProto:
    outputs = [contract.OUTPUT_CHROMA, contract.OUTPUT_DOUBT, contract.OUTPUT_COLOURS]
    side = 2 * multiple_of
    example = (torch.zeros(2, 1, side, 2 * side), torch.zeros(2, 3, side, 2 * side))
    batch = torch.export.Dim("N", min=1, max=64)
    height = multiple_of * torch.export.Dim("h", min=1, max=64)
    width = multiple_of * torch.export.Dim("w", min=1, max=64)
    axes = {0: batch, 2: height, 3: width}
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=[contract.INPUT_LUMINANCE, contract.INPUT_HINTS],
            output_names=outputs if has_colours else outputs[:2],
            dynamic_shapes=(axes, axes),
            verbose=False,
        )
    if program is None:
        raise ExportError("PyTorch gave no ONNX program.", "Use the torch version that pyproject.toml names.")
    model: onnx.ModelProto = program.model_proto
    return model


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose large weights are stored as float16 and cast to float32 before use."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for initializer in halved.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        if values.size < SMALL_WEIGHTS:
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + HALF_SUFFIX))
        casts.append(helper.make_node("Cast", [name + HALF_SUFFIX], [name], name=name + ".cast", to=TensorProto.FLOAT))
    nodes = casts + list(halved.graph.node)
    del halved.graph.node[:]
    halved.graph.node.extend(nodes)
    return halved


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop stack traces and file names that the exporter leaves in the graph."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"


def _lost_scalars(model: onnx.ModelProto, network: nn.Module) -> dict[str, float]:
    """Return the weights of one value that are no initialisers of the graph any more."""
    names = {i.name.removesuffix(HALF_SUFFIX).removeprefix(WRAPPER_PREFIX) for i in model.graph.initializer}
    return {k: float(v) for k, v in network.state_dict().items() if k not in names and v.numel() == 1}


def card_json(facts: CardFacts, multiple_of: int, distance: ChromaDistance) -> str:
    """Return the model card of the contract as JSON.

    Args:
        facts: what the exporter is told.
        multiple_of: of the network.
        distance: of the shipped file from the trained network, joins ``training`` with the gain and the bits.
    """
    export = {
        "gain": facts.decoding.gain,
        "temperature": facts.decoding.temperature,
        "mean_share": facts.decoding.mean_share,
        "calm_rounds": facts.decoding.calm_rounds,
        "weight_step": facts.weight_step,
        # Rounded, so that two processors write the same file.
        "largest_chroma_distance": round(distance.largest, 1),
        "mean_chroma_distance": round(distance.mean, 2),
    }
    return json.dumps(
        {
            "name": facts.name,
            "version": facts.version,
            "contract": contract.VERSION,
            "multiple_of": multiple_of,
            "sizes": sorted(facts.sizes),
            "default_size": facts.default_size,
            "saturation": 1.0,  # the gain is in the graph
            "training": {**facts.training, **export},
            "metrics": facts.metrics,
            "licence": facts.licence,
        },
        sort_keys=True,
    )


@torch.inference_mode()
def _step_that_fits(folded: Generator, trained: nn.Module, decoding: Decoding, step: float) -> float:
    """Return the largest of a half, a quarter ... of a step that keeps the colours; 0 = half precision alone.

    Args:
        folded: the generator, not rounded.
        trained: what the colours are compared with.
        decoding: of both.
        step: that is too large.
    """
    luminance, hints = sample_photographs(folded.multiple_of)
    expected = trained(luminance, hints)[0]
    for _ in range(_STEP_HALVINGS):
        step /= 2
        rounded = copy.deepcopy(folded)
        round_weights(rounded, step)
        if apart(Decoded(rounded, decoding).eval()(luminance, hints)[0], expected).mean <= MEAN_CHROMA_LIMIT:
            return step
    return 0.0


def _colours_moved(distance: ChromaDistance, step: float, fits: float) -> ExportError:
    """Say that rounded weights give other colours, and which step does not."""
    how, remedy = "in half precision", "Train further: weights as large as these are not those of a trained network."
    if step > 0:
        how = f"rounded to steps of {step:g} of their spread"
        remedy = f"Use --weight-step {fits:g}, which fits." if fits else "Leave --weight-step out."
    return ExportError(
        f"With weights {how} the colours are {distance.mean:.1f} a*b* units on average from those of the trained "
        f"network, more than {MEAN_CHROMA_LIMIT:.0f}.",
        remedy,
    )


def export_generator(
    generator: Generator, facts: CardFacts, path: Path, max_bytes: int | None = None
) -> dict[str, float]:
    """Write the ONNX file and its checksum.

    Args:
        generator: with the weights to ship.
        facts: the card.
        path: of the .onnx file; a .sha256 is written beside it.
        max_bytes: refuse a larger file; None allows any size.

    Returns:
        ``float32`` and ``half``: the largest differences to PyTorch with the same weights, network units;
        ``largest_chroma`` and ``mean_chroma``: distances to the trained network, a*b* units (rounding included);
        ``bytes``: the size of the file; ``opset``.

    Raises:
        ExportError: if the card contradicts itself, the exported graph disagrees with PyTorch, the rounding of the
            weights changes the colours too much, or the file is too large.
        DiskError: if it cannot be written.
    """
    multiple = generator.multiple_of
    if facts.default_size not in facts.sizes or any(size <= 0 or size % multiple for size in facts.sizes):
        raise ExportError(
            f"The sizes {', '.join(map(str, facts.sizes))}, {facts.default_size} by default, do not suit this model.",
            f"Use multiples of {multiple} for --sizes, and one of them as --default-size.",
        )
    folded = fold_batch_norms(generator)
    has_colours = getattr(generator, "distribution_head", None) is not None
    trained = Decoded(generator.eval(), facts.decoding).eval()
    rounded = copy.deepcopy(folded)
    # The graph is compared with the same weights; what their rounding costs is reported separately, below.
    round_weights(rounded, facts.weight_step)
    network = Decoded(rounded, facts.decoding).eval()
    model = _onnx_from_torch(Decoded(rounded, facts.decoding, has_colours).eval(), generator.multiple_of, has_colours)
    difference = largest_difference(model, network, generator.multiple_of)
    half = halve_weights(model)
    half_difference = largest_difference(half, network, generator.multiple_of)
    for found, allowed, kind in (
        (difference, FLOAT32_TOLERANCE, "float32"),
        (half_difference, HALF_TOLERANCE, "half-precision"),
    ):
        if not found <= allowed:  # not a number fails too
            raise ExportError(
                f"The exported model ({kind} weights) differs from PyTorch by {found:.2g}, more than {allowed:.0e}.",
                "Report this with the versions of torch, onnx and onnxruntime.",
            )
    distance = chroma_distance(half, trained, generator.multiple_of)
    if not distance.mean <= MEAN_CHROMA_LIMIT:  # not a number fails too
        step = facts.weight_step
        fits = _step_that_fits(folded, trained, facts.decoding, step) if step > 0 else 0.0
        raise _colours_moved(distance, step, fits)
    _forget_origin(half)
    half.producer_name, half.producer_version = "colorize-train", facts.version
    entry = half.metadata_props.add()
    entry.key, entry.value = contract.CARD_KEY, card_json(facts, generator.multiple_of, distance)
    entry = half.metadata_props.add()
    entry.key, entry.value = SCALARS_KEY, json.dumps(_lost_scalars(half, rounded))
    onnx.checker.check_model(half)
    data = half.SerializeToString(deterministic=True)
    if max_bytes is not None and len(data) > max_bytes:
        raise ExportError(
            f"The model takes {len(data) / 1e6:.1f} MB, more than {max_bytes / 1e6:.1f}.", "Use a smaller network."
        )
    write_atomically(path, data)
    digest = hashlib.sha256(data).hexdigest()
    write_atomically(path.with_suffix(".sha256"), f"{digest}  {path.name}\n".encode())
    opset = next(float(entry.version) for entry in half.opset_import if entry.domain == "")
    return {
        "float32": difference,
        "half": half_difference,
        "largest_chroma": distance.largest,
        "mean_chroma": distance.mean,
        "bytes": float(len(data)),
        "opset": opset,
    }


def export_checkpoint(
    checkpoint_path: Path, facts: CardFacts, path: Path, max_bytes: int | None = None
) -> dict[str, float]:
    """Export the averaged weights of a checkpoint; see :func:`export_generator`."""
    checkpoint = read_checkpoint(checkpoint_path)
    generator = build_generator(checkpoint.config.model, pretrained=False)
    generator.load_state_dict(checkpoint.part("ema"))
    p = checkpoint.progress
    training = {
        "config": checkpoint.config.name,
        "stage": checkpoint.config.stage,
        "pictures_seen": p.pictures + p.pictures_before,
        "model": config_to_dict(checkpoint.config)["model"],
        **facts.training,
    }
    facts = CardFacts(**{**facts.__dict__, "training": training})
    return export_generator(generator, facts, path, max_bytes)
