"""Drawn pictures, for where a check needs a few and no photographs are at hand."""

import numpy as np
from PIL import Image


def make_photo(seed: int, side: int = 72, aspect: float = 1.25) -> Image.Image:
    """Draw a colourful picture of waves, discs and noise, different for every seed.

    Args:
        seed: the same one gives the same picture.
        side: its height, px.
        aspect: width / height.
    """
    rng = np.random.default_rng(seed)
    width = round(side * aspect)
    y, x = np.mgrid[0:side, 0:width].astype(np.float32)
    rgb = np.zeros((side, width, 3), np.float32)
    for channel in range(3):
        fx, fy = rng.uniform(-12, 12, 2) / side
        phase = rng.uniform(0, 6.3)
        rgb[..., channel] = 128 + 90 * np.sin(fx * x + fy * y + phase)
    for _ in range(12):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, side), rng.uniform(0.1, 0.3) * side
        rgb[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.uniform(0, 255, 3)
    rgb += rng.normal(0, 6, rgb.shape)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
