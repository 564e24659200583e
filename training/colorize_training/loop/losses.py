"""Losses of the generator and the discriminator; chroma is compared in a*b* units (not network units)."""

from typing import Final

import torch
from colorize_server import contract
from torch import Tensor, distributed
from torch.nn import functional

from colorize_training.config import LossConfig
from colorize_training.networks.distribution import distribution_loss

_COSINE_FLOOR: Final = 2.0
"""a*b* units RMS: crops greyer than this have no direction to learn."""

_HINT_REACH_PX: Final = 9
"""Side of the window around a hint whose pixels count as near."""


def pixel_weights(chroma: Tensor, hints: Tensor, config: LossConfig) -> Tensor:
    """Weigh pixels by their true chroma and by nearness to a hint.

    The first factor has the mean 1 over the batches of all processes, so that several learn what one learns on all.

    Strong colours are rare, and a plain mean over pixels drowns them in grey; the milder relative of the class
    rebalancing of Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016).

    Args:
        chroma: (N, 2, H, W) true chroma, a*b* units.
        hints: (N, 3, H, W) network units.
        config: weights.

    Returns:
        (N, 1, H, W) float32.
    """
    weights = torch.ones_like(chroma[:, :1])
    if config.chroma_reweight > 0:
        weights = weights + chroma.norm(dim=1, keepdim=True) / config.chroma_reweight
        weights = weights / _mean_over_processes(weights.mean())
    if config.hint_weight > 0:
        half = _HINT_REACH_PX // 2  # rows, then columns: a ninth of the work of the square window
        near = functional.max_pool2d(hints[:, 2:3], (_HINT_REACH_PX, 1), stride=1, padding=(half, 0))
        near = functional.max_pool2d(near, (1, _HINT_REACH_PX), stride=1, padding=(0, half))
        weights = weights * (1 + config.hint_weight * near)
    return weights


def _mean_over_processes(value: Tensor) -> Tensor:
    if not distributed.is_initialized():
        return value
    total = value.detach().clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def pixel_loss(given: Tensor, true: Tensor, weights: Tensor, config: LossConfig) -> Tensor:
    """Huber (Huber 1964) or L1 (Isola et al. 2017) between given and true chroma, a*b* units, weighted mean."""
    if config.pixel == "l1":
        loss = (given - true).abs()
    else:
        # smooth_l1 has tails of slope 1 whatever beta is, so that beta can change and the other weights stay.
        loss = functional.smooth_l1_loss(given, true, beta=config.huber_beta, reduction="none")
    return (loss * weights).mean()


def cosine_loss(given: Tensor, true: Tensor) -> Tensor:
    """One minus the uncentred correlation of the given and the true a*b* over each crop, mean over the batch.

    It does not see saturation, so it asks for the right hue in the right place without a reward for paleness.
    """
    floor = _COSINE_FLOOR**2 * given[0].numel() / 2
    dot = (given * true).sum(dim=(1, 2, 3))
    scale = ((given**2).sum(dim=(1, 2, 3)) + floor) * ((true**2).sum(dim=(1, 2, 3)) + floor)
    return (1 - dot / scale.sqrt()).mean()


def doubt_loss(doubt: Tensor, given: Tensor, true: Tensor) -> Tensor:
    """Absolute difference between the doubt and the real chroma error, all in network units; no gradient to chroma."""
    error = (given.detach() - true).norm(dim=1, keepdim=True)
    return (doubt - error).abs().mean() * contract.CHROMA_SCALE / 10


def generator_losses(
    chroma: Tensor, doubt: Tensor, true: Tensor, hints: Tensor, config: LossConfig, logits: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute the weighted terms of the generator's loss, without the adversarial one.

    Args:
        chroma: (N, 2, H, W) given, network units.
        doubt: (N, 1, H, W) network units.
        true: (N, 2, H, W) true chroma, network units.
        hints: (N, 3, H, W) network units.
        config: weights.
        logits: (N, Q, H / 8, W / 8) of the distribution, if the network gives one.
    """
    given_ab, true_ab = chroma * contract.CHROMA_SCALE, true * contract.CHROMA_SCALE
    weights = pixel_weights(true_ab, hints, config)
    terms = {"pixel": config.pixel_weight * pixel_loss(given_ab, true_ab, weights, config)}
    if config.cosine_weight > 0:
        terms["cosine"] = config.cosine_weight * cosine_loss(given_ab, true_ab)
    if config.doubt_weight > 0:
        terms["doubt"] = config.doubt_weight * doubt_loss(doubt, chroma, true)
    if logits is not None:
        terms["distribution"] = config.distribution_weight * distribution_loss(logits, true_ab, weights)
    return terms


def adversarial_loss(logits: Tensor, is_real: bool) -> Tensor:
    """Binary cross-entropy of PatchGAN logits against one label (Goodfellow et al. 2014; Isola et al. 2017)."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(is_real)))
