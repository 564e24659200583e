"""The default generator: a U-Net on an EfficientNet-Lite encoder, with a path of their own for hints.

U-Net: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation" (2015).
Hints enter every decoder level, pooled to its stride, and spread through attention at stride 16 (in the spirit of
Yun et al., "iColoriT: Towards Propagating Local Hint to the Right Region in Interactive Colorization", WACV 2023).
"""

from typing import Final

import torch
from colorize_server import contract
from torch import Tensor, nn
from torch.nn import functional

from colorize_training.networks.distribution import DistributionHead
from colorize_training.networks.efficientnet import EfficientNetLite

MULTIPLE_OF: Final = 32
DECODER_CHANNELS: Final = (256, 256, 160, 64, 32)
"""Channels of the decoder at strides 32, 16, 8, 4, 2.

Few at the fine strides: what things are is known at the coarse ones, and with 96 and 64 channels there the last level
alone took half of a training step.
"""

_OUTPUT_GAIN: Final = 60.0 / contract.CHROMA_SCALE
"""The head's unit output means 60 a*b* units, about the chroma of a strong colour."""

_HINT_CHANNELS: Final = 16
_ATTENTION_CHANNELS: Final = 32
_COVERAGE_FLOOR: Final = 1e-4


def hint_pyramid(hints: Tensor) -> dict[int, Tensor]:
    """Bring hints to every decoder level: mean colour, strongest coverage, mean coverage.

    Args:
        hints: (N, 3, H, W) a* and b* (network units) and coverage in [0, 1]; H, W multiples of 32.

    Returns:
        By stride, 2 to 32: (N, 4, H / stride, W / stride) coverage-weighted mean a* and b*, maximum and mean of
        coverage.
    """
    strongest = hints[:, 2:3]
    sums = torch.cat([hints[:, :2] * strongest, strongest], dim=1)
    levels = {}
    for stride in (2, 4, 8, 16, 32):  # each from the one before: a window of two instead of one of the stride
        sums = functional.avg_pool2d(sums, 2)
        strongest = functional.max_pool2d(strongest, 2)
        mean_coverage = sums[:, 2:3]
        mean_chroma = sums[:, :2] / (mean_coverage + _COVERAGE_FLOOR / stride**2)
        levels[stride] = torch.cat([mean_chroma, strongest, mean_coverage], dim=1)
    return levels


def _doubled(x: Tensor) -> Tensor:
    """Double height and width, bilinear."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class ConvBlock(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(cin, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(inplace=True),
            nn.Conv2d(cout, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(inplace=True),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):  # He et al. 2015; matters where the normalisation is folded
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, cin, H, W) to (N, cout, H, W)."""
        return self.layers(x)


class HintEncoder(nn.Module):
    """Pooled hints of one level to features; exactly zero where no hint is near."""

    def __init__(self) -> None:
        super().__init__()
        # No bias: no hint, no signal, so that automatic use is one fixed function of the lightness.
        self.conv = nn.Conv2d(4, _HINT_CHANNELS, 3, padding=1, bias=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map (N, 4, h, w) of :func:`hint_pyramid` to (N, 16, h, w)."""
        # a*b* reach about 0.5 in network units while coverage reaches 1: bring them to the same size.
        scaled = torch.cat([pooled[:, :2] * 2, pooled[:, 2:]], dim=1)
        return functional.relu(self.conv(scaled))


class HintAttention(nn.Module):
    """Every cell asks all hinted cells of the picture for their colour.

    Softmax attention over the cells, weighted by coverage, with a learned "none of them" alternative: the weight of a
    key is coverage x exp(q . k - falloff x distance^2).  Without hints the result is exactly zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, _ATTENTION_CHANNELS, 1)
        self.key = nn.Conv2d(channels, _ATTENTION_CHANNELS, 1)
        self.estimate = nn.Conv2d(channels, 2, 1)
        self.none_logit = nn.Parameter(torch.tensor(-2.0))
        self.log_falloff = nn.Parameter(torch.tensor(-3.0))
        self.out = nn.Conv2d(5, _HINT_CHANNELS, 1, bias=False)

    def forward(self, features: Tensor, pooled: Tensor) -> Tensor:
        """Spread hints over one feature map.

        Args:
            features: (N, C, h, w) decoder features.
            pooled: (N, 4, h, w) of :func:`hint_pyramid`.

        Returns:
            (N, 16, h, w) features of the colours that reach each cell.
        """
        kind = features.device.type
        if torch.is_autocast_enabled(kind):  # products of up to exp(30) are beyond float16
            with torch.autocast(kind, enabled=False):
                return self._spread(features.float(), pooled.float()).to(features.dtype)
        return self._spread(features, pooled)

    def _spread(self, features: Tensor, pooled: Tensor) -> Tensor:
        query = (self.query(features) / _ATTENTION_CHANNELS**0.5).flatten(2).float()
        key = self.key(features).flatten(2).float()
        chroma = pooled[:, :2].flatten(2).float() * 2
        coverage = pooled[:, 2:3].flatten(2).float()
        values = torch.cat([chroma, chroma - self.estimate(features).flatten(2).float()], dim=1)
        # -|x - y|^2 = 2 x.y - |y|^2 - |x|^2: the first terms join the scalar product, the last one is added below.
        ones = torch.ones_like(pooled[:, :1])
        position = torch.cat([ones.cumsum(2), ones.cumsum(3)], dim=1).flatten(2).float()
        position = position - position.mean(dim=2, keepdim=True)
        square = (position * position).sum(dim=1, keepdim=True)
        falloff = self.log_falloff.float().exp()
        query = torch.cat([query, 2 * falloff * position, torch.ones_like(square), -falloff * square], dim=1)
        key = torch.cat([key, position, -falloff * square, torch.ones_like(square)], dim=1)
        logits = (query.transpose(1, 2) @ key).clamp(max=30)  # (N, cells asking, cells asked)
        weights = logits.exp() * coverage
        none = self.none_logit.float().exp()
        total = weights.sum(dim=2, keepdim=True)
        spread = (weights @ values.transpose(1, 2)) / (total + none)
        reached = total / (total + none)
        mixed = torch.cat([spread, reached], dim=2).transpose(1, 2)
        batch, _, height, width = features.shape
        return functional.relu(self.out(mixed.reshape(batch, 5, height, width).to(features.dtype)))


class UNetEfficientNet(nn.Module):
    """Generator of the model contract: (luminance, hints) to (chroma, doubt), and logits where it has their head.

    Args:
        variant: encoder, ``lite0`` or ``lite2``.
        has_distribution: give a distribution over a*b* as well (:mod:`colorize_training.networks.distribution`).
    """

    multiple_of = MULTIPLE_OF

    def __init__(self, variant: str = "lite2", has_distribution: bool = False) -> None:
        super().__init__()
        self.encoder = EfficientNetLite(variant)
        skips = (0, *self.encoder.channels[3::-1])  # strides 32 (no skip), 16, 8, 4, 2
        self.blocks = nn.ModuleList()
        self.hint_encoders = nn.ModuleList()
        below = self.encoder.channels[4]
        for skip, channels in zip(skips, DECODER_CHANNELS, strict=True):
            self.hint_encoders.append(HintEncoder())
            self.blocks.append(ConvBlock(below + skip + _HINT_CHANNELS, channels))
            below = channels
        self.attention = HintAttention(DECODER_CHANNELS[1])
        self.attention_join = nn.Conv2d(_HINT_CHANNELS, DECODER_CHANNELS[1], 1, bias=False)
        self.chroma_head = nn.Conv2d(below, 2, 3, padding=1)
        self.doubt_head = nn.Sequential(
            nn.Conv2d(below, 32, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(32, 1, 3, padding=1)
        )
        self.distribution_head = DistributionHead(DECODER_CHANNELS[1:4]) if has_distribution else None

    def forward(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, ...]:
        """Estimate chroma and its expected error.

        Args:
            luminance: (N, 1, H, W) L* / 50 - 1; H and W multiples of 32.
            hints: (N, 3, H, W) a* / 110, b* / 110, coverage; all zero for automatic use.

        Returns:
            chroma (N, 2, H, W) and doubt (N, 1, H, W), network units (a*b* / 110); with a distribution also its
            logits (N, Q, H / 8, W / 8).
        """
        features = self.encoder(luminance)
        pyramid = hint_pyramid(hints)
        x = features[4]
        decoded = []
        for level, (block, hint_encoder) in enumerate(zip(self.blocks, self.hint_encoders, strict=True)):
            pooled = pyramid[32 >> level]
            parts = [x, hint_encoder(pooled)]
            if level > 0:
                parts[0] = _doubled(x)
                parts.append(features[4 - level])
            x = block(torch.cat([part.to(parts[0].dtype) for part in parts], dim=1))
            if level == 1:
                x = x + self.attention_join(self.attention(x, pooled))
            decoded.append(x)
        # The doubt learns from the error; it must not pull the features towards an easier error.
        doubt = functional.softplus(self.doubt_head(x.detach()).float()) * _OUTPUT_GAIN
        chroma = self.chroma_head(x).float() * _OUTPUT_GAIN
        if self.distribution_head is None:
            return _doubled(chroma), _doubled(doubt)
        return _doubled(chroma), _doubled(doubt), self.distribution_head(*decoded[1:4])
