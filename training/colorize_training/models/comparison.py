"""How far an exported model is from the network in PyTorch: in its numbers, and in the colours that it gives."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from colorize_server import contract
from numpy.typing import NDArray
from torch import Tensor, nn

from colorize_training import color
from colorize_training.samples.drawn import make_photo
from colorize_training.samples.hints import uniform_hints

_SAMPLES: Final = 4
_SAMPLE_SIDE_PX: Final = 128
_SAMPLE_HINTS: Final = 5


@dataclass(frozen=True)
class ChromaDistance:
    """How far the colours of two networks are apart, a*b* units (Euclidean, at equal lightness)."""

    largest: float
    mean: float


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


def sample_photographs(multiple_of: int) -> tuple[Tensor, Tensor]:
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
    luminance, hints = sample_photographs(multiple_of)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {contract.INPUT_LUMINANCE: luminance.numpy(), contract.INPUT_HINTS: hints.numpy()}
    (found,) = session.run([contract.OUTPUT_CHROMA], feeds)
    return apart(torch.from_numpy(np.asarray(found)), trained(luminance, hints)[0])


def apart(given: Tensor, expected: Tensor) -> ChromaDistance:
    """Measure chroma (N, 2, H, W), network units, against chroma."""
    apart = (given - expected).norm(dim=1) * contract.CHROMA_SCALE
    return ChromaDistance(float(apart.max()), float(apart.mean()))
