"""Contact sheets: what the network is given, what it makes of it, and what is true."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from colorize_training import color
from colorize_training.config import DataConfig, DegradeConfig, TrainConfig
from colorize_training.data.prepare import demand_folder, open_upright
from colorize_training.data.shards import PICTURE_SUFFIXES, Picture, PictureStore
from colorize_training.errors import DataError
from colorize_training.measure.evaluation import Scene, load_scene
from colorize_training.models.predictor import Predictor, predict_padded
from colorize_training.samples.dataset import PEOPLE, Batch
from colorize_training.samples.degrade import EMULSIONS, backdrop_masks, degrade, draw_emulsion, draw_plan
from colorize_training.samples.sitters import with_grey_backdrop

_GAP_PX: Final = 4
_NAME_HEIGHT_PX: Final = 20
_NAME_SIZE_PX: Final = 14
_STRENGTHS: Final = ("blur_sigma_max", "grain_max")
"""Settings of [degrade] that are no shares of samples."""

_SITTERS_SEARCHED: Final = 200
"""Of the people, to find as many before a plain backdrop as a sheet is wide."""


NamedRow = tuple[str, list[NDArray[np.uint8]]]
"""Name and pictures of one row of a sheet."""


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
        DataError: if there is no such folder, or it holds no picture, or one that is damaged.
    """
    demand_folder(folder)
    groups = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            try:
                image = open_upright(path)
            except (OSError, ValueError, SyntaxError) as error:
                raise DataError(f"{path} cannot be read ({error}).", "Take it out of the folder.") from error
            groups.append(colorize_picture(predictor, image, size))
    if not groups:
        raise DataError(f"There is no picture in {folder}.", "Name a folder with JPEG, PNG, WebP or TIFF files.")
    return contact_sheet(groups, height)


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


def _degraded(scene: Scene, config: DegradeConfig, name: str, seed: int, emulsion: str = "") -> NDArray[np.uint8]:
    """Show what one degradation does to a picture, drawn as in training but always drawn and alone."""
    alone = replace(config, **{f.name: float(f.name == name) for f in fields(config) if f.name not in _STRENGTHS})
    rng = np.random.default_rng([seed, scene.picture.phash % 2**32])
    plan = draw_plan(rng, alone)
    if emulsion:
        plan.weights = draw_emulsion(rng, emulsion)
    linear = color.linear_from_srgb8(torch.from_numpy(scene.rgb).permute(2, 0, 1))[None]
    lightness = degrade(linear, [plan], [rng], backdrop_masks([plan], *linear.shape[-2:]))
    return rgb8_from_network(lightness / contract.LIGHTNESS_SCALE - 1, torch.zeros(1, 2, *linear.shape[-2:]))[0]


def _cut(scene: Scene, width: float, height: float) -> NDArray[np.uint8]:
    """Cut the middle out of a picture and bring it to the picture's size, as crops are cut; shares of the sides."""
    rows, columns = scene.rgb.shape[:2]
    left, top = columns * (1 - width) / 2, rows * (1 - height) / 2
    box = (left, top, columns - left, rows - top)
    return np.asarray(Image.fromarray(scene.rgb).resize((columns, rows), Image.Resampling.BICUBIC, box=box))


def _crops(scenes: Sequence[Scene], config: DataConfig) -> list[NamedRow]:
    """Two rows: the strongest enlargement, and the strongest aspect jitter, wide and narrow by turns."""
    enlarged, jitter = 1 / config.enlarge_max, config.aspect_jitter
    squeezed = [(1 - jitter, 1.0), (1.0, 1 / (1 + jitter))]
    return [
        (f"enlargement, up to {config.enlarge_max:g} times", [_cut(s, enlarged, enlarged) for s in scenes]),
        (
            f"aspect jitter, up to {jitter:.0%}" if jitter else "aspect jitter, off",
            [_cut(s, *squeezed[i % 2]) for i, s in enumerate(scenes)],
        ),
    ]


def degradation_rows(folder: Path, pictures: Sequence[Picture], config: TrainConfig, count: int = 6) -> list[NamedRow]:
    """Show every augmentation of a configuration apart, on the same pictures.

    The first row is the photographs; the last two are people before a plain backdrop, and what ``grey_backdrop`` makes
    of them (left out if there are none).  A degradation that is switched off is shown too, and its name says so.

    Args:
        folder: of the shards.
        pictures: to choose from.
        config: strengths and shares of the augmentations, and the seed.
        count: pictures in a row.

    Returns:
        Name and pictures of each row, (256, 256, 3) uint8 sRGB.
    """
    picks = np.random.default_rng(config.seed).permutation(len(pictures))[:count]
    chosen = [pictures[int(i)] for i in picks]
    store = PictureStore(folder, chosen)
    scenes = [load_scene(store, picture, is_square=True) for picture in chosen]

    def share(value: float, of: str = "samples") -> str:
        return f"{value:.0%} of {of}" if value else "off"

    rows: list[NamedRow] = [("photographs", [scene.rgb for scene in scenes])]
    rows.append(("clean input", [_degraded(scene, config.degrade, "", config.seed) for scene in scenes]))
    for field in fields(config.degrade):
        if field.name in _STRENGTHS:
            continue
        told = share(getattr(config.degrade, field.name))
        for emulsion in EMULSIONS if field.name == "emulsion" else ("",):
            shown = [_degraded(scene, config.degrade, field.name, config.seed, emulsion) for scene in scenes]
            name = f"{emulsion} {field.name} (all three: {told})" if emulsion else f"{field.name}, {told}"
            rows.append((name, shown))
    rows += _crops(scenes, config.data)
    backdrops = _sitters(folder, pictures, config.seed, count)
    names = ("people before a plain backdrop", f"grey_backdrop, {share(config.data.grey_backdrop, 'such people')}")
    return rows + [(name, row) for name, row in zip(names, backdrops, strict=False)]


def named_sheet(rows: Sequence[NamedRow]) -> Image.Image:
    """Lay out rows of pictures of one height, each row under its name."""
    height = rows[0][1][0].shape[0]
    step = _NAME_HEIGHT_PX + height + _GAP_PX
    width = max(sum(rgb.shape[1] + _GAP_PX for rgb in row) for _, row in rows)
    sheet = Image.new("RGB", (width, step * len(rows)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_NAME_SIZE_PX)
    for number, (name, row) in enumerate(rows):
        draw.text((_GAP_PX, number * step), name, fill="black", font=font)
        x = 0
        for rgb in row:
            sheet.paste(Image.fromarray(rgb), (x, number * step + _NAME_HEIGHT_PX))
            x += rgb.shape[1] + _GAP_PX
    return sheet
