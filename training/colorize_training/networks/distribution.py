"""A distribution over a*b* at stride 8: its bins, targets, head, and what is read from it.

Zhang, Isola and Efros, "Colorful Image Colorization" (ECCV 2016): bins of 10 units in the sRGB gamut, soft targets,
and the annealed mean, which decides where a plain mean of several likely colours would be brown.
"""

from typing import Final

import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from colorize_training import color

STRIDE: Final = 8
"""Of the distribution's cells, px."""

_STEP: Final = 10.0
_REACH: Final = 110.0
_AXIS_BINS: Final = int(2 * _REACH / _STEP) + 1
_HEAD_CHANNELS: Final = 192
_ROUNDING: Final = 1e-3
_GAMUT_LIGHTNESS: Final = range(10, 96, 5)
_GAMUT_TOLERANCE: Final = 0.02
"""Linear light beyond 0..1 that still counts as inside: the bins at the gamut's rim are needed."""


def _grid() -> NDArray[np.float32]:
    axis = np.arange(_AXIS_BINS, dtype=np.float32) * _STEP - _REACH
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def _bins_in_gamut() -> Tensor:
    grid = torch.from_numpy(_grid())
    inside = torch.zeros(len(grid), dtype=torch.bool)
    for lightness in _GAMUT_LIGHTNESS:
        lab = torch.cat([torch.full((len(grid), 1), float(lightness)), grid], dim=1)
        rgb = color.linear_from_lab(lab.T[:, :, None])
        inside |= ((rgb > -_GAMUT_TOLERANCE) & (rgb < 1 + _GAMUT_TOLERANCE)).all(dim=0)[:, 0]
    return grid[inside]


BINS: Final = _bins_in_gamut()
"""(Q, 2) float32: the a*b* of every bin that some lightness of sRGB can show."""

_NEAREST: Final = torch.cdist(torch.from_numpy(_grid()), BINS).argmin(dim=1)
"""(grid points,) the bin that stands for each point of the whole grid."""


def targets(chroma: Tensor) -> Tensor:
    """Turn true colours into shares of the bins.

    Args:
        chroma: (N, 2, H, W) a*b* units; H and W multiples of 8.

    Returns:
        (N, Q, H / 8, W / 8) float32, summing to 1 over Q: the four quarters of each cell, each shared bilinearly among
        the bins around it.
    """
    quarters = functional.avg_pool2d(chroma.float(), STRIDE // 2)
    batch, _, height, width = quarters.shape
    place = ((quarters + _REACH) / _STEP).clamp(0, _AXIS_BINS - 1.001)
    corner = place.floor().long()
    rest = place - corner
    cells = torch.arange(batch * height * width // 4, device=chroma.device).reshape(batch, height // 2, width // 2)
    cells = cells.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2).flatten()
    shares = torch.zeros(batch * height * width // 4, len(BINS), device=chroma.device)
    nearest = _NEAREST.to(chroma.device)
    for da in (0, 1):
        for db in (0, 1):
            which = nearest[((corner[:, 0] + da) * _AXIS_BINS + corner[:, 1] + db).flatten()]
            part_a = rest[:, 0] if da else 1 - rest[:, 0]
            part_b = rest[:, 1] if db else 1 - rest[:, 1]
            shares.index_put_((cells, which), (part_a * part_b).flatten() / 4, accumulate=True)
    return shares.reshape(batch, height // 2, width // 2, -1).permute(0, 3, 1, 2)


def distribution_loss(logits: Tensor, chroma: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy between given and true distribution, weighted mean over the cells.

    Args:
        logits: (N, Q, H / 8, W / 8).
        chroma: (N, 2, H, W) truth, a*b* units.
        weights: (N, 1, H, W) of the pixels (:func:`colorize_training.losses.pixel_weights`).  That strong colours
            count more is the rebalancing: a mild one, for the full one of the paper over-colours.
    """
    per_cell = -(targets(chroma) * torch.log_softmax(logits.float(), dim=1)).sum(dim=1, keepdim=True)
    return (per_cell * functional.avg_pool2d(weights, STRIDE)).mean()


class DistributionHead(nn.Module):
    """Decoder features of strides 16, 8 and 4 to logits at stride 8.

    Args:
        channels: of the features, coarsest first.
    """

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        self.join = nn.Conv2d(sum(channels), _HEAD_CHANNELS, 1)
        self.first = nn.Conv2d(_HEAD_CHANNELS, _HEAD_CHANNELS, 3, padding=1)
        self.second = nn.Conv2d(_HEAD_CHANNELS, _HEAD_CHANNELS, 3, padding=1)
        self.logits = nn.Conv2d(_HEAD_CHANNELS, len(BINS), 1)
        for layer in (self.join, self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, coarse: Tensor, middle: Tensor, fine: Tensor) -> Tensor:
        """Map (N, c, h / 2, w / 2), (N, c, h, w), (N, c, 2h, 2w) to (N, Q, h, w)."""
        enlarged = functional.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        reduced = functional.avg_pool2d(fine, 2)
        x = functional.relu(self.join(torch.cat([part.to(middle.dtype) for part in (enlarged, middle, reduced)], 1)))
        x = x + functional.relu(self.first(x))
        x = x + functional.relu(self.second(x))
        return self.logits(x)


def _shares(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Return (N, h w, Q) shares of (N, Q, h, w) logits: with the bins last a softmax takes a third of the time."""
    return torch.softmax(logits.float().flatten(2).transpose(1, 2) / temperature, dim=2)


def _as_map(cells: Tensor, like: Tensor) -> Tensor:
    """Lay (N, h w, C) out as (N, C, h, w)."""
    return cells.transpose(1, 2).reshape(cells.shape[0], -1, *like.shape[2:])


def annealed_mean(logits: Tensor, temperature: float) -> Tensor:
    """Return the mean colour of a sharpened distribution.

    Args:
        logits: (N, Q, h, w).
        temperature: 1 = the plain mean; towards 0 the most likely bin.

    Returns:
        (N, 2, h, w) network units.
    """
    colours = (BINS / contract.CHROMA_SCALE).to(logits.device)
    return _as_map(_shares(logits, temperature) @ colours, logits)


def expected_distance(logits: Tensor, chroma: Tensor) -> Tensor:
    """Return how far from a colour the distribution expects the true one to be.

    Args:
        logits: (N, Q, h, w).
        chroma: (N, 2, h, w) network units.

    Returns:
        (N, 1, h, w) network units: the root of the mean square distance over the shares.
    """
    colours = (BINS / contract.CHROMA_SCALE).to(logits.device)
    moments = torch.cat([colours, (colours**2).sum(dim=1, keepdim=True)], dim=1)
    means = _as_map(_shares(logits) @ moments, logits)
    # E|x - y|^2 = E|x|^2 - 2 y.E[x] + |y|^2
    square = means[:, 2:] + (chroma.float() * (chroma.float() - 2 * means[:, :2])).sum(dim=1, keepdim=True)
    return square.clamp_min(0).sqrt()


def suggestions(logits: Tensor, count: int = 7) -> Tensor:
    """Return the likely colours of every cell, most likely first.

    Each is the mean of the five bins within 10 a*b* of the place where most lies; then that bin and the eight around it
    are out.  Four cells share their colours, which takes a quarter of the time and misses 0.3 % more of the true ones.

    Args:
        logits: (N, Q, h, w); h and w even.
        count: of colours.

    Returns:
        (N, count, 3, h, w): a*, b* (network units) and share 0..1; the shares sum to at most 1.
    """
    batch, bins, height, width = logits.shape
    quarters = _shares(logits).reshape(batch, height // 2, 2, width // 2, 2, bins)
    shares = quarters.mean(dim=(2, 4)).reshape(-1, bins)
    colours = (BINS / contract.CHROMA_SCALE).to(logits.device)
    apart = torch.cdist(BINS, BINS).to(logits.device)
    near = (apart <= _STEP + _ROUNDING).float()
    others = (apart > _STEP * 2**0.5 + _ROUNDING).float()
    # Its own bin counts twice, so that a sure colour is taken at its middle and not twice from both sides.
    left = shares @ (near + torch.eye(bins, device=logits.device))
    found = []
    for _ in range(count):
        place = left.argmax(dim=1)
        taken = shares * near[place]
        share = taken.sum(dim=1, keepdim=True)
        found.append(torch.cat([taken @ colours / share.clamp_min(1e-9), share], dim=1))
        left = left * others[place]
    joined = torch.stack(found, dim=1)  # two places 20 apart may both have counted the bin between them
    total = joined[:, :, 2:].sum(dim=1, keepdim=True).clamp_min(1)
    joined = torch.cat([joined[:, :, :2], joined[:, :, 2:] / total], dim=2)
    cells = joined.reshape(batch, height // 2, width // 2, count * 3).permute(0, 3, 1, 2)
    enlarged = functional.interpolate(cells, scale_factor=2.0, mode="nearest")
    return enlarged.reshape(batch, count, 3, height, width)
