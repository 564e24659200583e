"""Export a generator to the ONNX file of the model contract: half-precision weights, float32 arithmetic, its card."""

import hashlib
import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import torch
from colorize_server import contract
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from colorize_training import color
from colorize_training.config import config_to_dict
from colorize_training.errors import ExportError
from colorize_training.files import write_atomically
from colorize_training.models.checkpoint import read_checkpoint
from colorize_training.networks.generator import (
    DEFAULT_DECODING,
    Decoded,
    Decoding,
    Generator,
    build_generator,
    fold_batch_norms,
)
from colorize_training.samples.drawn import make_photo
from colorize_training.samples.hints import uniform_hints

OPSET: Final = 18
FLOAT32_TOLERANCE: Final = 1e-5
HALF_TOLERANCE: Final = 2e-3
"""Largest |ONNX Runtime - PyTorch| in network units that an export may show."""

MEAN_CHROMA_LIMIT: Final = 1.0
"""Mean distance, a*b* units, of the shipped file's colours from the trained float32 network's that an export may show.

The default generator's by :func:`chroma_distance`: 0.07 in half precision, 0.08 with a step of 1/24 besides (10.2 MB
compressed instead of 15.1).  The largest distance is told but has no bar: a few pixels flip wherever two colours are
equally likely.
"""

_HALF_STEP_MIN: Final = 2.0**-24
"""Least positive number of half precision (IEEE 754-2019, binary16)."""

_ROUNDED_WEIGHTS: Final = 100_000
"""Convolutions of fewer weights keep half precision: they are a sixth of all, and rounding them is seen first."""

_SMALL_WEIGHTS: Final = 64
"""Initialisers of fewer values stay float32: shapes, scales and biases of the heads cost nothing."""

_SAMPLES: Final = 4
_SAMPLE_SIDE_PX: Final = 128
_SAMPLE_HINTS: Final = 5

HALF_SUFFIX: Final = ".half"
"""Ends the names of initialisers that are stored in half precision."""

WRAPPER_PREFIX: Final = "generator."
"""Begins the names of the generator's weights in the graph."""

SCALARS_KEY: Final = "colorize.scalars"
"""Metadata: scalar weights that the exporter folds into constants, as JSON, so that ``finetune`` finds them."""


@dataclass(frozen=True)
class ChromaDistance:
    """How far the colours of two networks are apart, a*b* units (Euclidean, at equal lightness)."""

    largest: float
    mean: float


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


def _onnx_from_torch(network: nn.Module, multiple_of: int, has_colours: bool) -> onnx.ModelProto:
    outputs = [contract.OUTPUT_CHROMA, contract.OUTPUT_DOUBT, contract.OUTPUT_COLOURS]
    side = 2 * multiple_of
    example = (torch.zeros(2, 1, side, 2 * side), torch.zeros(2, 3, side, 2 * side))
    batch = torch.export.Dim("N", min=1, max=64)
    height = multiple_of * torch.export.Dim("h", min=1, max=64)
    width = multiple_of * torch.export.Dim("w", min=1, max=64)
    axes = {0: batch, 2: height, 3: width}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
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


def round_to_steps(weight: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Round weights to multiples of a step, so that the file, compressed, is smaller.

    Even steps lose the least for what the compressed numbers take (Gish and Pierce, "Asymptotically efficient
    quantizing", 1968); fewer bits of the mantissa spend most of theirs on the smallest weights.

    Args:
        weight: (output channels, ...).
        share: of the standard deviation of an output channel that its step is near; the step is a power of two, so
            that half precision holds its multiples exactly (up to 2048 of them).

    Returns:
        The same shape; a weight changes by at most half a step.
    """
    channels = weight.reshape(len(weight), -1)
    wanted = np.maximum(channels.std(axis=1) * share, _HALF_STEP_MIN)
    step = np.exp2(np.rint(np.log2(wanted)))[:, None]
    rounded: NDArray[np.float32] = (np.rint(channels / step) * step).astype(np.float32).reshape(weight.shape)
    return rounded


@torch.no_grad()
def _round_weights(network: nn.Module, share: float) -> None:
    """Round the weights of a network in place: the largest tensors to steps, the others to half precision."""
    for weight in network.parameters():
        if weight.numel() >= _ROUNDED_WEIGHTS:
            weight.copy_(torch.from_numpy(round_to_steps(weight.numpy(), share)))
        if weight.numel() >= _SMALL_WEIGHTS:
            weight.copy_(weight.half())


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose large weights are stored as float16 and cast to float32 before use."""
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for initializer in halved.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        if values.size < _SMALL_WEIGHTS:
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


def _check_inputs(multiple_of: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Two batches of other shapes than the example's: automatic, and with hints of fractional coverage."""
    rng = np.random.default_rng(0)
    inputs = []
    for batch, rows, columns, has_hints in ((1, 3, 1, False), (2, 2, 3, True)):
        shape = (rows * multiple_of, columns * multiple_of)
        smooth = rng.uniform(-1, 1, (batch, 1, rows * 4, columns * 4)).astype(np.float32)
        luminance = torch.nn.functional.interpolate(torch.from_numpy(smooth), shape, mode="bilinear").numpy()
        hints = np.zeros((batch, 3, *shape), np.float32)
        if has_hints:
            hints[:, :2, 10:13, 20:25] = rng.uniform(-0.5, 0.5, (batch, 2, 1, 1))
            hints[:, 2, 10:13, 20:25] = 0.7
        inputs.append((luminance, hints))
    return inputs


@torch.inference_mode()
def largest_difference(model: onnx.ModelProto, network: nn.Module, multiple_of: int) -> float:
    """Return the largest |ONNX Runtime - PyTorch| over both outputs and several shapes, network units."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for luminance, hints in _check_inputs(multiple_of):
        feeds = {contract.INPUT_LUMINANCE: luminance, contract.INPUT_HINTS: hints}
        found = session.run([contract.OUTPUT_CHROMA, contract.OUTPUT_DOUBT], feeds)
        expected = network(torch.from_numpy(luminance), torch.from_numpy(hints))
        for got, want in zip(found, expected, strict=True):
            worst = max(worst, float(np.abs(np.asarray(got) - want.numpy()).max()))
    return worst


def _sample_photographs(multiple_of: int) -> tuple[Tensor, Tensor]:
    """The fixed batch of :func:`chroma_distance`: drawn pictures with plain areas, edges and noise, half with hints."""
    side = multiple_of * -(-_SAMPLE_SIDE_PX // multiple_of)
    rgb = np.stack([np.asarray(make_photo(seed, side, aspect=1.0)) for seed in range(_SAMPLES)])
    lab = color.lab_from_linear(color.linear_from_srgb8(torch.from_numpy(rgb).permute(0, 3, 1, 2)))
    hints = torch.zeros(_SAMPLES, 3, side, side)
    for index in range(0, _SAMPLES, 2):
        hints[index] = uniform_hints(lab[index, 1:] / contract.CHROMA_SCALE, _SAMPLE_HINTS, seed=index)
    return lab[:, :1] / contract.LIGHTNESS_SCALE - 1, hints


@torch.inference_mode()
def chroma_distance(model: onnx.ModelProto, trained: nn.Module, multiple_of: int) -> ChromaDistance:
    """Return how far the colours of an exported model are from those of the trained float32 network.

    Args:
        model: as shipped, its weights rounded.
        trained: the network in PyTorch, its decoding included.
        multiple_of: of the network.
    """
    luminance, hints = _sample_photographs(multiple_of)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {contract.INPUT_LUMINANCE: luminance.numpy(), contract.INPUT_HINTS: hints.numpy()}
    (found,) = session.run([contract.OUTPUT_CHROMA], feeds)
    expected, _ = trained(luminance, hints)
    apart = (torch.from_numpy(np.asarray(found)) - expected).norm(dim=1) * contract.CHROMA_SCALE
    return ChromaDistance(float(apart.max()), float(apart.mean()))


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
    trained = network = Decoded(generator.eval(), facts.decoding).eval()
    if facts.weight_step > 0:
        # The graph is compared with the same weights; what their rounding costs is reported separately, below.
        _round_weights(folded, facts.weight_step)
        network = Decoded(folded, facts.decoding).eval()
    has_colours = getattr(generator, "distribution_head", None) is not None
    graph_network = Decoded(folded, facts.decoding, has_colours).eval()
    model = _onnx_from_torch(graph_network, generator.multiple_of, has_colours)
    difference = largest_difference(model, network, generator.multiple_of)
    half = halve_weights(model)
    half_difference = largest_difference(half, network, generator.multiple_of)
    for found, allowed, kind in (
        (difference, FLOAT32_TOLERANCE, "float32"),
        (half_difference, HALF_TOLERANCE, "half-precision"),
    ):
        if found > allowed:
            raise ExportError(
                f"The exported model ({kind} weights) differs from PyTorch by {found:.2g}, more than {allowed:.0e}.",
                "Train further, or report the versions of torch, onnx and onnxruntime.",
            )
    distance = chroma_distance(half, trained, generator.multiple_of)
    if not distance.mean <= MEAN_CHROMA_LIMIT:  # not a number fails too
        raise ExportError(
            f"With weights rounded to steps of {facts.weight_step:g} of their spread the colours are "
            f"{distance.mean:.1f} a*b* units on average from those of the trained network, more than "
            f"{MEAN_CHROMA_LIMIT:.0f}.",
            "Choose a smaller --weight-step.",
        )
    _forget_origin(half)
    half.producer_name, half.producer_version = "colorize-train", facts.version
    entry = half.metadata_props.add()
    entry.key, entry.value = contract.CARD_KEY, card_json(facts, generator.multiple_of, distance)
    entry = half.metadata_props.add()
    entry.key, entry.value = SCALARS_KEY, json.dumps(_lost_scalars(half, folded))
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
