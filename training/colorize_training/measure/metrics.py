"""Measures of one colourized picture against the truth, and their intervals over many pictures.

All chroma is a*b* (D65), all lightness L* 0..100, arrays are float; nothing here knows about networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from colorize_server.color.difference import ciede2000
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from colorize_training.samples.degrade import gaussian_blur

_BLOTCH_CHROMA_SIGMA: Final = 3.0
_BLOTCH_LIGHTNESS_SIGMA: Final = 2.0
_BLOTCH_FLAT_SHARE: Final = 0.3
_EDGE_SHARE: Final = 0.1
_CALM_SHARE: Final = 0.4
_UNREST_SIGMA: Final = 8.0
_DARK_LIGHTNESS: Final = 40.0
_NEUTRAL_CHROMA: Final = 4.0
_BROWN_HUES: Final = (10.0, 80.0)
_FEW_DARK_PIXELS: Final = 50
_RESAMPLES: Final = 1000


def chroma_mse(given: Tensor, true: Tensor) -> float:
    """Return the mean of |given - true|^2 over the pixels of (2, H, W) a*b*."""
    return float(((given - true) ** 2).sum(dim=0).mean())


def chroma_cosine(given: Tensor, true: Tensor) -> float:
    """Return the uncentred correlation of given and true a*b* over a picture, -1..1; 0 if either is grey."""
    scale = float(given.norm() * true.norm())
    return float((given * true).sum()) / scale if scale > 1e-6 else 0.0


def sobel_magnitude(planes: Tensor) -> Tensor:
    """Return the gradient magnitude (Sobel / 8, units per px) of (N, C, H, W), joined over channels: (N, H, W)."""
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None].to(planes)
    n, c, h, w = planes.shape
    padded = functional.pad(planes.reshape(n * c, 1, h, w), (1, 1, 1, 1), mode="replicate")
    gradients = functional.conv2d(padded, kernels).reshape(n, c * 2, h, w)
    return gradients.norm(dim=1)


def blotch(lightness: Tensor, chroma: Tensor) -> float:
    """Measure colour that changes where the lightness does not.

    100 x mean gradient magnitude of a*b* blurred with sigma 3, over the 30 % of pixels where the gradient of L*
    blurred with sigma 2 is lowest; meant for a short side of 256 px.

    Args:
        lightness: (1, H, W) L*.
        chroma: (2, H, W) a*b*.
    """
    slope = sobel_magnitude(gaussian_blur(lightness[None], [_BLOTCH_LIGHTNESS_SIGMA]))[0].flatten()
    gradient = sobel_magnitude(gaussian_blur(chroma[None], [_BLOTCH_CHROMA_SIGMA]))[0].flatten()
    count = max(1, int(_BLOTCH_FLAT_SHARE * slope.numel()))
    flat = torch.topk(slope, count, largest=False).indices
    return 100 * float(gradient[flat].mean())


def delta_e(
    lightness: Tensor, given: Tensor, true: Tensor, stride: int = 2, slope: Tensor | None = None
) -> tuple[float, float]:
    """Return mean CIEDE2000 over the picture and over the strongest 10 % of luminance edges.

    Both colours have the same L*.

    Args:
        lightness: (1, H, W) L*.
        given: (2, H, W) a*b*.
        true: (2, H, W) a*b*.
        stride: every ``stride``-th pixel of every ``stride``-th row is measured.
        slope: (1, H, W) :func:`sobel_magnitude` of the lightness, if it is at hand: it takes longer than the rest.
    """
    if slope is None:
        slope = sobel_magnitude(lightness[None])
    edges = slope[0, ::stride, ::stride].numpy()
    parts = [torch.cat([lightness, chroma])[:, ::stride, ::stride].permute(1, 2, 0).numpy() for chroma in (given, true)]
    difference = ciede2000(*parts)
    strong = edges >= np.quantile(edges, 1 - _EDGE_SHARE)
    return float(difference.mean()), float(difference[strong].mean())


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks with ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of two flat arrays (ties averaged); 0 if either is constant."""
    rx, ry = _ranks(x), _ranks(y)
    rx, ry = rx - rx.mean(), ry - ry.mean()
    scale = float(np.sqrt((rx**2).sum() * (ry**2).sum()))
    return float((rx * ry).sum()) / scale if scale > 0 else 0.0


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], columns: NDArray[np.float64], seed: int = 0
) -> Interval:
    """Return a statistic with its 95 % percentile interval over resampled pictures (Efron 1979).

    Args:
        statistic: maps (..., pictures, columns) to (...).
        columns: (pictures, columns) measures of each picture.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(columns), size=(_RESAMPLES, len(columns)))
    low, high = np.percentile(statistic(columns[picks]), [2.5, 97.5])
    return Interval(float(statistic(columns)), float(low), float(high))


def mean_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over pictures of the only column."""
    return columns[..., 0].mean(axis=-1)


def median_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over pictures of the only column."""
    return np.median(columns[..., 0], axis=-1)


def rmse_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the mean over pictures of a column of mean squared errors."""
    return np.sqrt(columns[..., 0].mean(axis=-1))


def rmse_ratio_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratio of two RMSE over the same pictures: columns are the mean squared errors above and below the line."""
    return np.sqrt(columns[..., 0].mean(axis=-1) / columns[..., 1].mean(axis=-1))


def mean_ratio_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratio of two means over the same pictures."""
    return columns[..., 0].mean(axis=-1) / columns[..., 1].mean(axis=-1)


def unrest(given: Tensor, true: Tensor) -> tuple[float, float]:
    """Measure how restless colour is where the truth's is calm: given and true, a*b* units a px, times 100.

    Calm are the 40 % of the pixels at which the truth's chroma, blurred with a sigma of 8 px, changes least.

    Args:
        given: (2, H, W) a*b*, the short side 256 px.
        true: likewise.
    """
    slopes = sobel_magnitude(gaussian_blur(torch.stack([given, true]).float(), [_UNREST_SIGMA] * 2))
    count = max(1, int(_CALM_SHARE * slopes[1].numel()))
    is_calm = slopes[1] <= slopes[1].flatten().kthvalue(count).values
    of_given, of_true = (100 * float(slope[is_calm].mean()) for slope in slopes)
    return of_given, of_true


def neutral_share(lightness: Tensor, chroma: Tensor) -> float:
    """Return the share of dark pixels (L* < 40) that are neutral (C* < 4); not a number where few are dark."""
    is_dark = lightness[0] < _DARK_LIGHTNESS
    if int(is_dark.sum()) <= _FEW_DARK_PIXELS:
        return float("nan")
    return float((chroma.norm(dim=0)[is_dark] < _NEUTRAL_CHROMA).float().mean())


def brownish_share(lightness: Tensor, chroma: Tensor) -> float:
    """Return the share of all pixels that are dark (L* < 40), coloured (C* > 4) and of a hue of 10 to 80 degrees."""
    hue = torch.rad2deg(torch.atan2(chroma[1], chroma[0]))
    is_brown = (hue > _BROWN_HUES[0]) & (hue < _BROWN_HUES[1]) & (chroma.norm(dim=0) > _NEUTRAL_CHROMA)
    return float((is_brown & (lightness[0] < _DARK_LIGHTNESS)).float().mean())


def difference_of_means(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over pictures of the first column less that of the second."""
    return columns[..., 0].mean(axis=-1) - columns[..., 1].mean(axis=-1)
