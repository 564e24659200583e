"""What old photographs do to lightness: emulsions, tone, fading, blur, grain, damage; applied to whole batches.

The chroma target stays that of the clean picture: only the network's input is degraded.  The one exception is a studio
backdrop, which is painted and therefore grey in the target too (:func:`backdrop_masks`).  Every sample draws its own
plan from a random generator seeded with the sample's index, so a run can be repeated, resumed and split over processes.
"""

import io
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from colorize_training.color import LUMINANCE_WEIGHTS, lightness_from_y
from colorize_training.config import DegradeConfig

# Spectral sensitivity of emulsions as ranges of weights on linear R, G, B, whose sum is 1.
EMULSIONS: Final = {
    "panchromatic": ((0.20, 0.35), (0.40, 0.60), (0.10, 0.35)),
    "orthochromatic": ((0.0, 0.10), (0.40, 0.65), (0.30, 0.55)),
    "blue-sensitive": ((0.0, 0.03), (0.05, 0.25), (0.75, 0.95)),
}
_EMULSION_CHANCES: Final = (0.5, 0.35, 0.15)
_BLUR_SIGMA_MIN: Final = 0.4


@dataclass
class DegradePlan:
    """The draws of one sample; the defaults change nothing."""

    weights: NDArray[np.float64] = field(default_factory=lambda: LUMINANCE_WEIGHTS.numpy().copy())
    gamma: float = 1.0
    blur_sigma: float = 0.0  # px
    grain: float = 0.0  # L*
    grain_sigma: float = 0.0  # px, size of the grains
    black: float = 0.0  # L* of black after fading
    white: float = 100.0
    vignette: float = 0.0  # share of lightness lost in the corners
    jpeg_quality: int = 0  # 0 = none
    halftone: float = 0.0  # L* amplitude of the dot screen
    halftone_period: float = 4.0  # px
    damage_seed: int = -1  # -1 = none
    backdrop: "Backdrop | None" = None


@dataclass(frozen=True)
class Backdrop:
    """A plain studio backdrop around an oval part of the picture."""

    lightness: float  # L* in the middle
    half_x: float  # half axes of the oval, shares of the crop
    half_y: float
    slope_x: float = 0.0  # L* from one side to the other: studio light falls off
    slope_y: float = 0.0


def draw_emulsion(rng: np.random.Generator, name: str | None = None) -> NDArray[np.float64]:
    """Draw weights of linear R, G, B, sum 1 and within their ranges, for a named or a random emulsion."""
    chosen = name or list(EMULSIONS)[int(rng.choice(len(EMULSIONS), p=_EMULSION_CHANCES))]
    low, high = np.array(EMULSIONS[chosen]).T
    while True:  # nine draws in ten stay in their ranges when they are normalised
        weights = rng.uniform(low, high)
        weights /= weights.sum()
        if ((weights >= low) & (weights <= high)).all():
            return weights


def draw_plan(rng: np.random.Generator, config: DegradeConfig) -> DegradePlan:
    """Draw one sample's degradations."""
    plan = DegradePlan()
    if rng.random() < config.emulsion:
        plan.weights = draw_emulsion(rng)
    if rng.random() < config.tone:
        plan.gamma = float(rng.uniform(0.75, 1.35))
    if rng.random() < config.blur:
        plan.blur_sigma = float(rng.uniform(_BLUR_SIGMA_MIN, config.blur_sigma_max))
    if rng.random() < config.grain:
        plan.grain = float(rng.uniform(0.0, config.grain_max))
        plan.grain_sigma = float(rng.choice([0.0, 0.6, 1.0]))
    if rng.random() < config.fade:
        plan.black, plan.white = float(rng.uniform(0, 25)), float(rng.uniform(75, 100))
    if rng.random() < config.vignette:
        plan.vignette = float(rng.uniform(0.1, 0.5))
    if rng.random() < config.jpeg:
        plan.jpeg_quality = int(rng.integers(25, 85))
    if rng.random() < config.halftone:
        plan.halftone, plan.halftone_period = float(rng.uniform(3, 12)), float(rng.uniform(2.5, 5))
    if rng.random() < config.damage:
        plan.damage_seed = int(rng.integers(2**31))
    if rng.random() < config.backdrop:
        oval = (float(rng.uniform(0.3, 0.48)), float(rng.uniform(0.4, 0.6)))
        plan.backdrop = Backdrop(float(rng.uniform(25, 85)), *oval, *rng.uniform(-25, 25, 2).tolist())
    return plan


def _gaussian_kernel(sigma: float, radius: int) -> Tensor:
    """Return 2 x radius + 1 weights; they end at 3 sigma, so that a blur does not depend on other pictures' radius."""
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / max(sigma, 1e-3)) ** 2) * (x.abs() <= np.ceil(3 * sigma))
    return kernel / kernel.sum()


def gaussian_blur(planes: Tensor, sigmas: list[float]) -> Tensor:
    """Blur each picture with its own sigma; edges are reflected.

    Args:
        planes: (N, C, H, W) float32.
        sigmas: N standard deviations, px; 0 leaves a picture as it is.
    """
    chosen = [i for i, sigma in enumerate(sigmas) if sigma > 0]
    if not chosen:
        return planes
    radius = min(int(np.ceil(3 * max(sigmas))), min(planes.shape[-2:]) - 1)
    channels = planes.shape[1]
    kernels = torch.stack([_gaussian_kernel(sigmas[i], radius) for i in chosen]).repeat_interleave(channels, dim=0)
    x = planes[chosen].reshape(1, -1, *planes.shape[-2:])
    kernels = kernels.to(x)
    groups = x.shape[1]
    x = functional.pad(x, (radius, radius, radius, radius), mode="reflect")
    x = functional.conv2d(x, kernels[:, None, None, :], groups=groups)
    x = functional.conv2d(x, kernels[:, None, :, None], groups=groups)
    blurred = planes.clone()
    blurred[chosen] = x.reshape(len(chosen), channels, *planes.shape[-2:])
    return blurred


def _grain(plans: list[DegradePlan], rngs: list[np.random.Generator], height: int, width: int) -> Tensor:
    noise = torch.zeros(len(plans), 1, height, width)
    for i, (plan, rng) in enumerate(zip(plans, rngs, strict=True)):
        if plan.grain > 0:
            noise[i, 0] = torch.from_numpy(rng.standard_normal((height, width), dtype=np.float32))
    noise = gaussian_blur(noise, [plan.grain_sigma if plan.grain > 0 else 0.0 for plan in plans])
    spread = noise.std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
    return noise / spread * torch.tensor([plan.grain for plan in plans])[:, None, None, None]


def _jpeg(plane: Tensor, quality: int) -> Tensor:
    """Send one (H, W) lightness plane, L* 0..100, through JPEG."""
    levels = (plane.clamp(0, 100) * 2.55).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(buffer), dtype=np.float32)) / 2.55


def _damage(plane: Tensor, seed: int) -> Tensor:
    """Lay dust, scratches and a fold over one (H, W) lightness plane."""
    rng = np.random.default_rng(seed)
    height, width = plane.shape
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(5, 40))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.3, 1.6)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=int(rng.integers(120, 255)))
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        dx, dy = rng.normal(0, 0.06 * width), rng.normal(0, 0.4 * height)
        draw.line((x, y, x + dx, y + dy), fill=int(rng.integers(80, 220)), width=1)
    if rng.random() < 0.3:
        x = rng.uniform(0.2, 0.8) * width
        draw.line((x, 0, x + rng.normal(0, 4), height), fill=int(rng.integers(100, 230)), width=int(rng.integers(1, 3)))
    cover = torch.from_numpy(np.array(mask, dtype=np.float32)) / 255
    tone = 97.0 if rng.random() < 0.7 else 8.0
    return plane * (1 - cover) + tone * cover


def _centred_grid(half: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return y (H, 1) and x (1, W), each from -half to half over the picture."""
    return torch.linspace(-half, half, height)[:, None], torch.linspace(-half, half, width)[None, :]


def _vignette(plans: list[DegradePlan], height: int, width: int) -> Tensor:
    y, x = _centred_grid(1, height, width)
    radius = (x**2 + y**2) / 2
    lost = torch.tensor([plan.vignette for plan in plans])[:, None, None, None]
    return 1 - lost * radius


def backdrop_masks(plans: list[DegradePlan], height: int, width: int) -> Tensor:
    """Return (N, 1, H, W): 1 inside the picture, 0 on a studio backdrop, with a soft oval edge between."""
    masks = torch.ones(len(plans), 1, height, width)
    y, x = _centred_grid(0.5, height, width)
    for i, plan in enumerate(plans):
        if plan.backdrop is not None:
            oval = (x / plan.backdrop.half_x) ** 2 + (y / plan.backdrop.half_y) ** 2
            masks[i, 0] = torch.sigmoid((1 - oval.sqrt()) * 25)
    return masks


def _backdrop_lightness(plans: list[DegradePlan], height: int, width: int) -> Tensor:
    """Return L* of each sample's backdrop, (N, 1, H, W); black where there is none."""
    tones = torch.zeros(len(plans), 1, height, width)
    y, x = _centred_grid(0.5, height, width)
    for i, plan in enumerate(plans):
        if plan.backdrop is not None:
            tones[i, 0] = plan.backdrop.lightness + plan.backdrop.slope_x * x + plan.backdrop.slope_y * y
    return tones


def degrade(linear: Tensor, plans: list[DegradePlan], rngs: list[np.random.Generator], backdrop: Tensor) -> Tensor:
    """Turn clean colour crops into the lightness that the network is given.

    Args:
        linear: (N, 3, H, W) float32 linear sRGB, 0..1.
        plans: the draws of the N samples.
        rngs: their generators, used for grain.
        backdrop: (N, 1, H, W) of :func:`backdrop_masks`.

    Returns:
        (N, 1, H, W) float32 L*, 0..100.
    """
    height, width = linear.shape[-2:]
    weights = torch.from_numpy(np.stack([plan.weights for plan in plans])).float()
    y = torch.einsum("nc,nchw->nhw", weights, linear)[:, None]
    lightness = lightness_from_y(y).clamp(0, 100)
    gamma = torch.tensor([plan.gamma for plan in plans])[:, None, None, None]
    lightness = 100 * (lightness / 100) ** gamma
    if any(plan.backdrop for plan in plans):
        lightness = lightness * backdrop + _backdrop_lightness(plans, height, width) * (1 - backdrop)
    lightness = gaussian_blur(lightness, [plan.blur_sigma for plan in plans])
    if any(plan.vignette for plan in plans):
        lightness = lightness * _vignette(plans, height, width)
    black = torch.tensor([plan.black for plan in plans])[:, None, None, None]
    white = torch.tensor([plan.white for plan in plans])[:, None, None, None]
    lightness = black + lightness * (white - black) / 100
    if any(plan.grain for plan in plans):
        lightness = lightness + _grain(plans, rngs, height, width)
    for i, plan in enumerate(plans):
        if plan.halftone > 0:
            # A dot screen at 45 degrees, as newspapers print it.
            step = 2 * np.pi / plan.halftone_period
            v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            lightness[i, 0] += plan.halftone * torch.sin((u + v) * step / 2) * torch.sin((u - v) * step / 2)
        if plan.damage_seed >= 0:
            lightness[i, 0] = _damage(lightness[i, 0], plan.damage_seed)
        if plan.jpeg_quality:
            lightness[i, 0] = _jpeg(lightness[i, 0], plan.jpeg_quality)
    # A scan holds no lightness outside this range.
    return lightness.clamp(0, 100)
