"""Weights rounded so that a model's file is smaller: to half precision, and the largest tensors to steps."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_HALF_STEP_MIN: Final = 2.0**-24
"""Least positive number of half precision (IEEE 754-2019, binary16)."""

_ROUNDED_WEIGHTS: Final = 100_000
"""Convolutions of fewer weights keep half precision: they are a sixth of all, and rounding them is seen first."""

SMALL_WEIGHTS: Final = 64
"""Initialisers of fewer values stay float32: shapes, scales and biases of the heads cost nothing."""


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
def round_weights(network: nn.Module, share: float) -> None:
    """Round the weights of a network in place: the largest tensors to steps (0 = none), all to half precision."""
    for weight in network.parameters():
        if share > 0 and weight.numel() >= _ROUNDED_WEIGHTS:
            weight.copy_(torch.from_numpy(round_to_steps(weight.numpy(), share)))
        if weight.numel() >= SMALL_WEIGHTS:
            weight.copy_(weight.half())
