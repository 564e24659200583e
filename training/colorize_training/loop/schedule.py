"""Learning-rate factors, the growth of the crops and the averaged (EMA) weights."""

from typing import Final

import torch
from torch import nn

from colorize_training.config import OptimConfig, TrainConfig, crop_multiple

_FINAL_FACTOR: Final = 0.01


def learning_rate_factor(config: OptimConfig, pictures: int, total: int, warmup_from: int = 0) -> float:
    """Return the factor on every learning rate after so many pictures of a stage.

    ``warmup-stable-decay`` (Hu et al., "MiniCPM", 2024): with EMA weights every moment of the stable part gives a
    usable model, and a run can be prolonged.  ``pix2pix``: constant, then linear to zero in the second half.

    Args:
        config: schedule settings.
        pictures: seen in this stage.
        total: pictures of the stage.
        warmup_from: pictures at which the optimiser started afresh; the warm-up counts from there.
    """
    warmup = 1.0
    if config.warmup_pictures > 0:
        warmup = min(1.0, (pictures - warmup_from + 1) / config.warmup_pictures)
    decay = total // 2 if config.schedule == "pix2pix" else min(config.decay_pictures, total)
    left = max(0, total - pictures)
    fall = 1.0 if decay <= 0 or left >= decay else max(_FINAL_FACTOR, left / decay)
    return warmup * fall


def crop_side(config: TrainConfig, pictures: int) -> int:
    """Return the side of the crops after so many pictures of a stage, px.

    Small crops are cheap and teach most of it; the last ones come near the size that the model is used at, which
    batch normalisation and the scale of things ask for (Touvron et al., "Fixing the train-test resolution
    discrepancy", NeurIPS 2019).  The sides between are seen equally long.

    Args:
        config: the run.
        pictures: seen in this stage.
    """
    data = config.data
    grown = pictures - (config.pictures - data.growth_pictures)
    if data.crop_px_end == 0 or data.growth_pictures == 0 or grown < 0:
        return data.crop_px
    multiple = crop_multiple(config.model)
    sizes = (data.crop_px_end - data.crop_px) // multiple
    return data.crop_px + multiple * min(sizes, 1 + grown * sizes // data.growth_pictures)


class AveragedWeights:
    """Exponential moving average of weights and statistics (Polyak averaging), with a short memory at the start."""

    def __init__(self, source: nn.Module, decay: float, steps: int = 0) -> None:
        self.decay = decay
        self.steps = steps
        self.state = {key: value.detach().clone() for key, value in source.state_dict().items()}

    @torch.no_grad()
    def update(self, source: nn.Module) -> None:
        """Take one step towards the current weights."""
        self.steps += 1
        # The ramp forgets the untrained start: after n steps at most the last half or so counts.
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, values = [], []
        for key, value in source.state_dict().items():
            if value.is_floating_point():
                averages.append(self.state[key])
                values.append(value)
            else:
                self.state[key].copy_(value)
        torch._foreach_lerp_(averages, values, 1 - decay)
