"""What is read from a generator: colours that decide and keep to their regions, and a doubt that knows the spread."""

from dataclasses import dataclass
from typing import Final

import torch
from colorize_server import contract
from torch import Tensor, nn
from torch.nn import functional

from colorize_training.networks.distribution import STRIDE, annealed_mean, expected_distance, suggestions

_RADIUS: Final = 2
_SIDE: Final = 2 * _RADIUS + 1
_PLACE_SIGMA: Final = 2.0
"""Of the calming filter, cells of 8 px."""

_LIGHTNESS_SIGMA: Final = 12.0
_CHROMA_SIGMA: Final = 6.0
"""L* and a*b* units by which two cells may differ and still be one region.

Chosen on the ``choose`` split with the rounds (training/EXPERIMENTS.md): wider ones calm no more and lose cosine.
"""

_HINT_STRIDE: Final = 16
"""Side of the cells that hints are gathered in: a quarter of the pairs that stride 8 has, for the same result."""

_REACH_PX: Final = 40.0
_REACH_LIGHTNESS: Final = 10.0
_REACH_CHROMA: Final = 10.0
"""How far, and how far in L* and a*b*, what a hint left over still counts by half or more (standard deviations)."""

_COVERAGE_FLOOR: Final = 1e-5

_NO_HINT_WEIGHT: Final = 0.2
"""Weight of "the network is right": a hint's weight is 1 at its own place."""


@dataclass(frozen=True)
class Decoding:
    """How colours are read from what a generator gives.

    Attributes:
        gain: factor on chroma.
        temperature: of the distribution's annealed mean, if there is a distribution.
        mean_share: of the generator's own mean in the result; the rest is the annealed mean.
        calm_rounds: passes of the filter that calms regions of one colour, if there is a distribution; 0 = none.

    With a distribution, what hints left over is spread as well (:func:`with_leftovers`).
    """

    gain: float = 1.0
    temperature: float = 0.7
    mean_share: float = 0.5
    calm_rounds: int = 3


DEFAULT_DECODING: Final = Decoding()


class Decoded(nn.Module):
    """A generator with its decoding: chroma and doubt of the model contract, and colours if asked for.

    Hinted colours are divided by the gain before, so that they come back as they were painted.
    """

    def __init__(self, generator: nn.Module, decoding: Decoding, gives_colours: bool = False) -> None:
        super().__init__()
        self.gives_colours = gives_colours
        self.generator = generator
        self.decoding = decoding

    def forward(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, ...]:
        """See the model contract."""
        how, painted = self.decoding, hints
        if how.gain != 1.0:
            hints = torch.cat([hints[:, :2] / how.gain, hints[:, 2:]], dim=1)
        chroma, doubt, *logits = self.generator(luminance, hints)
        if logits:
            chroma = joined(chroma, logits[0], how.temperature, how.mean_share)
        chroma = chroma if how.gain == 1.0 else chroma * how.gain
        if logits:
            chroma = calmed(chroma, luminance, how.calm_rounds)
            chroma = with_leftovers(chroma, luminance, painted)
            doubt = doubt_with_spread(doubt, logits[0], chroma)
        return (chroma, doubt, suggestions(logits[0], contract.SUGGESTIONS)) if self.gives_colours else (chroma, doubt)


def _enlarged(cells: Tensor) -> Tensor:
    return functional.interpolate(cells, scale_factor=float(STRIDE), mode="bilinear", align_corners=False)


def joined(mean: Tensor, logits: Tensor, temperature: float, mean_share: float) -> Tensor:
    """Join the network's mean with the annealed mean of its distribution.

    The mean keeps its detail: only what the two differ by at stride 8 is enlarged, so that edges stay where they are.

    Args:
        mean: (N, 2, H, W) network units.
        logits: (N, Q, H / 8, W / 8).
        temperature: see :func:`annealed_mean`.
        mean_share: 0..1; 1 = the mean alone.

    Returns:
        (N, 2, H, W) network units.
    """
    change = annealed_mean(logits, temperature) - functional.avg_pool2d(mean, STRIDE)
    return mean + (1 - mean_share) * _enlarged(change)


def _around(cells: Tensor) -> Tensor:
    """Return what lies around every cell: (N, C, h, w) to (N, C, 25, h, w); the rim repeats."""
    channels = cells.shape[1]
    padded = functional.pad(cells, (_RADIUS,) * 4, mode="replicate")
    picks = torch.eye(_SIDE**2, device=cells.device).reshape(-1, 1, _SIDE, _SIDE).repeat(channels, 1, 1, 1)
    around = functional.conv2d(padded, picks, groups=channels)
    return around.reshape(-1, channels, _SIDE**2, *cells.shape[2:])


def calmed(chroma: Tensor, luminance: Tensor, rounds: int) -> Tensor:
    """Calm the colour of regions that are of one lightness and nearly of one colour already.

    A bilateral filter (Tomasi and Manduchi, "Bilateral Filtering for Gray and Color Images", ICCV 1998) of 5 x 5 cells
    of 8 px, a few times: a coat that drifts from brown to purple gets one colour, its edge and its detail stay.

    Args:
        chroma: (N, 2, H, W) network units; H and W multiples of 8.
        luminance: (N, 1, H, W) of the model contract.
        rounds: of the filter.

    Returns:
        (N, 2, H, W) network units.
    """
    if rounds == 0:
        return chroma
    before = cells = functional.avg_pool2d(chroma, STRIDE)
    lightness = functional.avg_pool2d(luminance, STRIDE)
    steps = torch.arange(-_RADIUS, _RADIUS + 1, device=chroma.device, dtype=chroma.dtype)
    square = (steps[:, None] ** 2 + steps**2).reshape(1, -1, 1, 1)
    apart = (_around(lightness)[:, 0] - lightness) * (contract.LIGHTNESS_SCALE / _LIGHTNESS_SIGMA)
    fixed = -0.5 * (apart**2 + square / _PLACE_SIGMA**2)
    for _ in range(rounds):
        around = _around(cells)
        other = (around - cells[:, :, None]) * (contract.CHROMA_SCALE / _CHROMA_SIGMA)
        weights = (fixed - 0.5 * (other**2).sum(dim=1)).exp()[:, None]
        cells = (around * weights).sum(dim=2) / weights.sum(dim=2)
    return chroma + _enlarged(cells - before)


def _places(cells: Tensor, stride: int) -> Tensor:
    """Return the middles of the cells of a map: (1, 2, h, w), rows and columns in px."""
    ones = torch.ones_like(cells[:1, :1])
    return torch.cat([(ones.cumsum(axis) - 0.5) * stride for axis in (2, 3)], dim=1)


def with_leftovers(chroma: Tensor, luminance: Tensor, hints: Tensor) -> Tensor:
    """Give places near a hint, of its lightness and colour, what the network left of the hint's difference to itself.

    Kernel regression (Nadaraya 1964) of the difference between the painted and the given colour, with "none" as one
    more answer.  Without hints, and where the network has given what was painted, it adds nothing.

    Args:
        chroma: (N, 2, H, W) network units; H and W multiples of 16.
        luminance: (N, 1, H, W) of the model contract.
        hints: (N, 3, H, W) likewise.

    Returns:
        (N, 2, H, W) network units.
    """
    coverage = hints[:, 2:]
    of_pixels = torch.cat([luminance * contract.LIGHTNESS_SCALE, chroma * contract.CHROMA_SCALE], dim=1)
    mean_coverage = functional.avg_pool2d(coverage, _HINT_STRIDE)
    gathered = functional.avg_pool2d(torch.cat([of_pixels, hints[:, :2] - chroma], 1) * coverage, _HINT_STRIDE)
    gathered = gathered / (mean_coverage + _COVERAGE_FLOOR)
    strongest = functional.max_pool2d(coverage, _HINT_STRIDE).flatten(2)
    sigmas = torch.tensor([_REACH_PX] * 2 + [_REACH_LIGHTNESS] + [_REACH_CHROMA] * 2, device=chroma.device)

    def kinds(cells: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
        """What cells are like (N, 5, cells), one (N, 1, cells), and - half the square of what they are like."""
        places = _places(cells, stride).expand(cells.shape[0], -1, -1, -1)
        like = torch.cat([places, cells], dim=1).flatten(2) / sigmas[:, None]
        return like, torch.ones_like(like[:, :1]), -0.5 * (like**2).sum(dim=1, keepdim=True)

    asking = functional.avg_pool2d(of_pixels, STRIDE)
    query, one, square = kinds(asking, STRIDE)
    key, key_one, key_square = kinds(gathered[:, :3], _HINT_STRIDE)
    # -|x - y|^2 / 2 = x.y - |x|^2 / 2 - |y|^2 / 2, all of it as one product.
    likeness = torch.cat([query, square, one], 1).transpose(1, 2) @ torch.cat([key, key_one, key_square], 1)
    left_over = torch.cat([gathered[:, 3:].flatten(2), key_one], dim=1) * strongest
    sums = _map_of(likeness.exp() @ left_over.transpose(1, 2), asking)
    return chroma + _enlarged(sums[:, :2] / (sums[:, 2:] + _NO_HINT_WEIGHT))


def _map_of(cells: Tensor, like: Tensor) -> Tensor:
    """Lay (N, h w, C) out as (N, C, h, w)."""
    return cells.transpose(1, 2).reshape(cells.shape[0], -1, *like.shape[2:])


def doubt_with_spread(doubt: Tensor, logits: Tensor, chroma: Tensor) -> Tensor:
    """Join the error that the network learned to expect with the one that its own distribution expects.

    Their geometric mean ranks places better than either, above all on scenes (training/EXPERIMENTS.md).

    Args:
        doubt: (N, 1, H, W) of the head, network units.
        logits: (N, Q, H / 8, W / 8).
        chroma: (N, 2, H, W) decoded, network units.

    Returns:
        (N, 1, H, W) network units.
    """
    spread = expected_distance(logits, functional.avg_pool2d(chroma, STRIDE))
    return (doubt * _enlarged(spread)).sqrt()
