"""The paper's generator: U-Net-256 with eight down- and eight up-samplings.

Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), appendix
6.1.1.  Hints are three more input channels, and a small head gives the doubt; both are additions of the model contract.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE_OF: Final = 256
_CHANNELS: Final = (64, 128, 256, 512, 512, 512, 512, 512)
_DROPOUT_LEVELS: Final = 3
"""The innermost decoder levels have dropout 0.5 in the paper."""


def _up(cin: int, cout: int, upsampling: str) -> nn.Module:
    """Double height and width.

    ``transposed`` is the paper's; ``resize`` (nearest, then convolution) avoids its checkerboard pattern: Odena,
    Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts" (Distill 2016).
    """
    if upsampling == "transposed":
        return nn.ConvTranspose2d(cin, cout, 4, 2, 1)
    return nn.Sequential(nn.Upsample(scale_factor=2.0, mode="nearest"), nn.Conv2d(cin, cout, 3, padding=1))


class UNet256(nn.Module):
    """Generator of the model contract in the paper's architecture.

    Args:
        upsampling: ``transposed`` or ``resize``.
        dropout: whether the three innermost decoder levels drop half of their activations in training.
    """

    multiple_of = MULTIPLE_OF

    def __init__(self, upsampling: str = "resize", dropout: bool = True) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        below = 4
        last = len(_CHANNELS) - 1
        for level, channels in enumerate(_CHANNELS):
            layers: list[nn.Module] = [] if level == 0 else [nn.LeakyReLU(0.2)]
            has_norm = 0 < level < last
            layers.append(nn.Conv2d(below, channels, 4, 2, 1, bias=not has_norm))
            if has_norm:  # the innermost map of a 256 px picture is 1x1: nothing to normalise over
                layers.append(nn.BatchNorm2d(channels))
            self.down.append(nn.Sequential(*layers))
            below = channels
        self.up = nn.ModuleList()
        for level in range(last, 0, -1):
            inside = below if level == last else 2 * below
            channels = _CHANNELS[level - 1]
            layers = [nn.ReLU(), _up(inside, channels, upsampling), nn.BatchNorm2d(channels)]
            if dropout and last - _DROPOUT_LEVELS <= level < last:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))
            below = channels
        self.chroma_head = nn.Sequential(nn.ReLU(), _up(2 * below, 2, upsampling))
        self.doubt_head = nn.Sequential(nn.ReLU(), _up(2 * below, 1, upsampling))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0.0, 0.02)  # Isola et al., appendix 6.2

    def forward(self, luminance: Tensor, hints: Tensor) -> tuple[Tensor, Tensor]:
        """Estimate chroma (N, 2, H, W) and doubt (N, 1, H, W); H and W multiples of 256, network units."""
        x = torch.cat([luminance, hints], dim=1)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = skips.pop()
        for layer in self.up:
            x = torch.cat([layer(x), skips.pop()], dim=1)
        chroma = torch.tanh(self.chroma_head(x).float())
        doubt = functional.softplus(self.doubt_head(x.detach()).float())
        return chroma, doubt
