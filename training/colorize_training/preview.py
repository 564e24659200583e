"""Contact sheets: what the network is given, what it makes of it, and what is true."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from colorize_training import color
from colorize_training.dataset import PEOPLE, Batch
from colorize_training.errors import DataError
from colorize_training.evaluation import SIDE_PX, degradation_plans, degraded_lightness, load_scene
from colorize_training.predictor import Predictor, predict_padded
from colorize_training.shards import PICTURE_SUFFIXES, Picture, PictureStore
from colorize_training.sitters import with_grey_backdrop

_GAP_PX: Final = 4
_SITTERS_SEARCHED: Final = 200
"""Of the people, to find as many before a plain backdrop as a sheet is wide."""


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


def _fit_height(rgb: NDArray[np.uint8], height: int) -> Image.Image:
    image = Image.fromarray(rgb)
    return image.resize((max(1, round(image.width * height / image.height)), height), Image.Resampling.LANCZOS)


def contact_sheet(rows: Sequence[Sequence[NDArray[np.uint8]]], height: int = 160, width: int = 1600) -> Image.Image:
    """Lay out groups of pictures (for example before and after) from left to right, in as many lines as needed.

    Args:
        rows: groups; the pictures of a group stay together.
        height: of each picture, px.
        width: of the sheet, px; a wider group is scaled down.
    """
    groups = []
    for group in rows:
        images = [_fit_height(rgb, height) for rgb in group]
        joined = Image.new("RGB", (sum(i.width for i in images) + _GAP_PX * (len(images) - 1), height), "white")
        x = 0
        for image in images:
            joined.paste(image, (x, 0))
            x += image.width + _GAP_PX
        if joined.width > width:
            joined = joined.resize((width, round(height * width / joined.width)), Image.Resampling.LANCZOS)
        groups.append(joined)
    lines: list[list[Image.Image]] = [[]]
    used = 0
    for joined in groups:
        if lines[-1] and used + joined.width + 2 * _GAP_PX > width:
            lines.append([])
            used = 0
        lines[-1].append(joined)
        used += joined.width + 2 * _GAP_PX
    sheet = Image.new("RGB", (width, len(lines) * (height + 2 * _GAP_PX)), "white")
    for number, line in enumerate(lines):
        x = 0
        for joined in line:
            sheet.paste(joined, (x, number * (height + 2 * _GAP_PX)))
            x += joined.width + 2 * _GAP_PX
    return sheet


def colorize_picture(
    predictor: Predictor, image: Image.Image, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colorize one photograph at network size; grey and colour, (H, W, 3) uint8 with a short side of ``size``.

    For looking at a model: the server joins the chroma with the full-resolution lightness instead.
    """
    scale = size / min(image.size)
    shape = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    levels = np.array(
        image.convert("RGB").resize(shape, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)
    )
    linear = color.linear_from_srgb8(torch.from_numpy(levels).permute(2, 0, 1))
    luminance = color.lab_from_linear(linear)[None, :1] / contract.LIGHTNESS_SCALE - 1
    chroma, _ = predict_padded(predictor, luminance, torch.zeros(1, 3, *luminance.shape[-2:]))
    grey = rgb8_from_network(luminance, torch.zeros_like(chroma))[0]
    return grey, rgb8_from_network(luminance, chroma)[0]


def folder_sheet(predictor: Predictor, folder: Path, size: int, height: int = 200) -> Image.Image:
    """Colorize every photograph of a folder, before and after side by side, in the order of their names.

    Raises:
        DataError: if the folder holds no picture.
    """
    groups = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            with Image.open(path) as image:
                groups.append(colorize_picture(predictor, image, size))
    if not groups:
        raise DataError(f"There is no picture in {folder}.", "Name a folder with JPEG, PNG, WebP or TIFF files.")
    return contact_sheet(groups, height)


def _lightness_rgb(lightness: Tensor) -> NDArray[np.uint8]:
    zero = torch.zeros(1, 2, *lightness.shape[-2:])
    return rgb8_from_network(lightness[None] / contract.LIGHTNESS_SCALE - 1, zero)[0]


def _sitters(folder: Path, pictures: Sequence[Picture], seed: int, count: int) -> list[list[NDArray[np.uint8]]]:
    """Two lines: people before a plain backdrop, and the same before grey canvas; nothing if there is none."""
    rng = np.random.default_rng(seed)
    people = [p for p in pictures if p.set == PEOPLE]
    store = PictureStore(folder, people)
    pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for i in rng.permutation(len(people))[:_SITTERS_SEARCHED]:
        rgb = load_scene(store, people[int(i)], is_square=True).rgb
        changed = with_grey_backdrop(rgb, rng)
        if changed is not rgb:
            pairs.append((rgb, changed))
        if len(pairs) == count:
            break
    return [list(line) for line in zip(*pairs, strict=True)]


def degradation_sheet(folder: Path, pictures: Sequence[Picture], seed: int, count: int = 6) -> Image.Image:
    """Show every degradation apart on the same pictures, one line each; the first line is the clean input.

    The last two lines are people before a plain backdrop, and what ``grey_backdrop`` makes of them.
    """
    picks = np.random.default_rng(seed).permutation(len(pictures))[:count]
    chosen = [pictures[int(i)] for i in picks]
    store = PictureStore(folder, chosen)
    scenes = [load_scene(store, picture, is_square=True) for picture in chosen]
    groups: list[list[NDArray[np.uint8]]] = [[scene.rgb for scene in scenes]]
    groups += [[_lightness_rgb(degraded_lightness(scene, name)) for scene in scenes] for name in degradation_plans()]
    groups += _sitters(folder, pictures, seed, count)
    return contact_sheet(groups, height=SIDE_PX, width=count * (SIDE_PX + _GAP_PX) + _GAP_PX)
