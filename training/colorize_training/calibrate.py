"""Measure batch normalisation anew at the size a generator is used at, after a run on smaller crops.

On a whole picture at 256 px the activations are distributed otherwise than on crops of 128 or 160 px, and averaged
weights are not those whose statistics were averaged.  Precise statistics: Wu and Johnson, "Rethinking 'Batch' in
BatchNorm" (2021), section 3; the gap between the sizes of training and use: Touvron et al., "Fixing the train-test
resolution discrepancy" (NeurIPS 2019).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import torch
from torch import nn

from colorize_training.checkpoint import load_part, read_checkpoint, write_checkpoint
from colorize_training.config import DegradeConfig, TrainConfig
from colorize_training.dataset import Batch, Samples
from colorize_training.errors import CheckpointError
from colorize_training.networks import build_generator, freeze_encoder_start, in_channels_last

_BATCH: Final = 8
_SEED_STEP: Final = 1_000_003
"""Added to the run's seed: other crops than those it began with."""


@dataclass(frozen=True)
class CalibrateOptions:
    """What statistics are measured on."""

    size: int = 256  # side of the square crops, px
    pictures: int = 512


def calibration_config(config: TrainConfig, size: int) -> TrainConfig:
    """Return a run's configuration with large crops, clean and without hints: the automatic use that counts most."""
    clean = DegradeConfig(
        **{f.name: 0.0 for f in fields(DegradeConfig) if f.name not in ("blur_sigma_max", "grain_max")}
    )
    return replace(
        config,
        seed=config.seed + _SEED_STEP,
        data=replace(config.data, crop_px=size),
        degrade=clean,
        hints=replace(config.hints, share=0.0),
    )


@torch.no_grad()
def calibrate(generator: nn.Module, batches: Iterable[Batch], frozen_stages: int = 0) -> int:
    """Replace the running statistics by the mean over batches, in place; the generator is left in evaluation mode.

    Args:
        generator: with batch normalisation.
        batches: as the network is used; each counts alike.
        frozen_stages: first encoder stages whose statistics stay, as they stayed in training.

    Returns:
        The number of normalisations measured; 0 if there is none.
    """
    generator.train()
    freeze_encoder_start(generator, frozen_stages)
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    generator.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    for batch in batches:
        generator(batch.luminance, batch.hints)
    generator.eval()
    return len(norms)


def calibrate_checkpoint(path: Path, data: Path, out: Path, options: CalibrateOptions) -> Path:
    """Write a checkpoint with the averaged weights of another and statistics measured anew.

    Raises:
        CheckpointError: if the network has no batch normalisation.
    """
    checkpoint = read_checkpoint(path)
    config = checkpoint.config
    generator = in_channels_last(build_generator(config.model, pretrained=False))
    load_part(generator, checkpoint.part("ema"), path)
    samples = Samples(data, calibration_config(config, options.size))
    steps = max(1, options.pictures // _BATCH)
    batches = (samples.batch(range(step * _BATCH, (step + 1) * _BATCH)) for step in range(steps))
    if calibrate(generator, batches, config.model.freeze_encoder_stages) == 0:
        raise CheckpointError(f"The network of {path} has no batch normalisation.", "It is used as it is.")
    write_checkpoint(out, config, checkpoint.progress, {f"ema.{k}": v for k, v in generator.state_dict().items()})
    return out
