"""Contact sheets: what the network is given, what it makes of it, and what is true."""

import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from torch import Tensor, nn

from colorize_training import color
from colorize_training.dataset import Batch


def rgb8_from_network(luminance: Tensor, chroma: Tensor) -> NDArray[np.uint8]:
    """Turn network units into pictures: (N, 1, H, W) and (N, 2, H, W) to (N, H, W, 3) uint8 sRGB, gamut clipped."""
    lab = torch.cat([(luminance.float() + 1) * contract.LIGHTNESS_SCALE, chroma.float() * contract.CHROMA_SCALE], dim=1)
    srgb = color.srgb_from_lab(lab).clamp(0, 1)
    return (srgb * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


@torch.inference_mode()
def sample_grid(generator: nn.Module, batch: Batch, count: int = 6) -> Tensor:
    """Lay out input, ours and truth of the first samples; (3, rows, columns) uint8 for TensorBoard."""
    luminance, hints = batch.luminance[:count].cpu(), batch.hints[:count].cpu()
    chroma, _ = generator(luminance, hints)
    rows = [
        rgb8_from_network(luminance, torch.zeros_like(chroma)),
        rgb8_from_network(luminance, chroma),
        batch.rgb[:count].permute(0, 2, 3, 1).cpu().numpy(),
    ]
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    return torch.from_numpy(np.ascontiguousarray(sheet)).permute(2, 0, 1)
