"""Run a generator on whole pictures of any size: from a checkpoint (PyTorch) or from an exported ONNX file."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from colorize_server import contract
from torch import Tensor, nn
from torch.nn import functional

from colorize_training.errors import CheckpointError
from colorize_training.models.checkpoint import checkpoints, load_part, read_checkpoint
from colorize_training.networks.decoding import DEFAULT_DECODING, Decoded, Decoding
from colorize_training.networks.distribution import suggestions
from colorize_training.networks.generator import (
    build_generator,
    in_channels_last,
)


class Predictor(Protocol):
    """Something that keeps the model contract."""

    multiple_of: int
    pictures_seen: int

    def __call__(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, 1, H, W) and (N, 3, H, W) to chroma (N, 2, H, W) and doubt (N, 1, H, W), network units."""


@runtime_checkable
class Suggester(Protocol):
    """A predictor that may tell likely colours as well."""

    def colours(self, luminance: Tensor, hints: Tensor) -> Tensor | None:
        """Return (N, 7, 3, H / 8, W / 8) as the model contract has them, or None if the model gives none."""


class TorchPredictor:
    """A generator in PyTorch, float32, evaluation mode."""

    def __init__(
        self, generator: nn.Module, multiple_of: int, pictures_seen: int = 0, decoding: Decoding = DEFAULT_DECODING
    ) -> None:
        self._generator = Decoded(generator, decoding).eval()
        in_channels_last(self._generator)
        self.multiple_of = multiple_of
        self.pictures_seen = pictures_seen

    @torch.inference_mode()
    def __call__(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Predictor`."""
        outputs: tuple[Tensor, Tensor] = self._generator(luminance, hints)
        return outputs

    @torch.inference_mode()
    def colours(self, luminance: Tensor, hints: Tensor) -> Tensor | None:
        """See :class:`Suggester`."""
        _, _, *logits = self._generator.generator(luminance, hints)
        return suggestions(logits[0], contract.SUGGESTIONS) if logits else None


class OnnxPredictor:
    """An exported model, run by ONNX Runtime on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime
        from colorize_server.errors import ModelError
        from colorize_server.model import load_model

        try:
            model = load_model(path)
        except ModelError as error:
            raise CheckpointError(str(error), "Give a model that colorize-train export has written.") from error
        self._session = onnxruntime.InferenceSession(model.data, providers=["CPUExecutionProvider"])
        self.multiple_of = model.card.multiple_of
        self.pictures_seen = int(model.card.rest.get("training", {}).get("pictures_seen", 0))

    def __call__(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Predictor`."""
        feeds = {contract.INPUT_LUMINANCE: luminance.numpy(), contract.INPUT_HINTS: hints.numpy()}
        chroma, doubt = self._session.run([contract.OUTPUT_CHROMA, contract.OUTPUT_DOUBT], feeds)
        return torch.from_numpy(np.asarray(chroma)), torch.from_numpy(np.asarray(doubt))

    def colours(self, luminance: Tensor, hints: Tensor) -> Tensor | None:
        """See :class:`Suggester`."""
        if contract.OUTPUT_COLOURS not in {output.name for output in self._session.get_outputs()}:
            return None
        feeds = {contract.INPUT_LUMINANCE: luminance.numpy(), contract.INPUT_HINTS: hints.numpy()}
        (found,) = self._session.run([contract.OUTPUT_COLOURS], feeds)
        return torch.from_numpy(np.asarray(found))


def open_predictor(path: Path, decoding: Decoding = DEFAULT_DECODING) -> Predictor:
    """Open a checkpoint (file or run folder) or an ONNX model.

    Args:
        path: what to open.
        decoding: of a checkpoint; an ONNX file has its own inside.

    Raises:
        CheckpointError: if there is nothing that can be opened.
    """
    if path.suffix == ".onnx":
        return OnnxPredictor(path)
    if path.is_dir():
        found = checkpoints(path)
        if not found:
            raise CheckpointError(f"There is no checkpoint in {path}.", "Train first: colorize-train fit CONFIG.toml")
        path = found[-1]
    checkpoint = read_checkpoint(path)
    generator = build_generator(checkpoint.config.model, pretrained=False)
    load_part(generator, checkpoint.part("ema"), path)
    progress = checkpoint.progress
    return TorchPredictor(generator, generator.multiple_of, progress.pictures + progress.pictures_before, decoding)


def predict_padded(predictor: Predictor, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
    """Pad to the predictor's multiple (luminance by reflection, hints by zeros), predict and cut the padding off."""
    height, width = luminance.shape[-2:]
    multiple = predictor.multiple_of
    below, right = -height % multiple, -width % multiple
    if below or right:
        # Reflection reaches at most the picture's own size; the rest, if any, repeats the edge.
        reflected = (0, min(right, width - 1), 0, min(below, height - 1))
        luminance = functional.pad(luminance, reflected, mode="reflect")
        rest = (0, right - reflected[1], 0, below - reflected[3])
        luminance = functional.pad(luminance, rest, mode="replicate")
        hints = functional.pad(hints, (0, right, 0, below))
    chroma, doubt = predictor(luminance, hints)
    return chroma[..., :height, :width], doubt[..., :height, :width]
