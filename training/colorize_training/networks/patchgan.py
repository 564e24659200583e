"""The 70x70 PatchGAN discriminator on (lightness, chroma).

Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), appendix
6.1.2: C64-C128-C256-C512, 4x4 kernels, leaky ReLU 0.2, no normalisation in the first layer.  The normalisation is over
each picture: what the paper's batch normalisation is with its batches of one, and with larger ones the verdict on a
picture does not hang on the company that it is judged in (real and given ones in its own step, given ones alone in the
generator's).
"""

from typing import Final

import torch
from torch import Tensor, nn

_CHANNELS: Final = (64, 128, 256, 512)


class PatchGAN(nn.Module):
    """Tell real from given colours, one logit a 70x70 px patch."""

    def __init__(self, input_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        below = input_channels
        for index, channels in enumerate(_CHANNELS):
            stride = 2 if index < 3 else 1
            layers.append(nn.Conv2d(below, channels, 4, stride, 1, bias=index == 0))
            if index > 0:
                layers.append(nn.InstanceNorm2d(channels, affine=True))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            below = channels
        layers.append(nn.Conv2d(below, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)  # Isola et al., appendix 6.2

    def forward(self, luminance: Tensor, chroma: Tensor) -> Tensor:
        """Judge (N, 1, H, W) luminance with (N, 2, H, W) chroma, network units; (N, 1, h, w) logits."""
        return self.layers(torch.cat([luminance, chroma], dim=1))
