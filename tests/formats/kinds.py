"""Kinds of TIFF scans, some thousand combinations, each with the colours that were drawn into it.

Expected colours come from what was drawn, by the formulas of TIFF 6.0, or LittleCMS for L*a*b*: nothing of the server.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import ImageCms
from tiff_files import DEFLATE, LZW, PACKBITS, SHORT, UNPACKED, ZSTD, Layout, picture, tiff_file

HEIGHT, WIDTH = 21, 35
GREY_FROM_WHITE, GREY, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
NO_ALPHA, PREMULTIPLIED, STRAIGHT = 0, 1, 2


@dataclass(frozen=True)
class Kind:
    """A scan: its name, its file, and (height, width, 1 to 4) values 0..1 that it shows, upright."""

    name: str
    data: bytes
    expected: np.ndarray
    tolerance: float


@dataclass(frozen=True)
class _Samples:
    name: str
    photometric: int
    bits: int
    alpha: int = NO_ALPHA
    block: tuple[int, int] = (1, 1)


def _all_samples() -> list[_Samples]:
    kinds = [_Samples("grey", p, bits) for p in (GREY, GREY_FROM_WHITE) for bits in (1, 2, 4, 6, 8, 10, 12, 14, 16)]
    kinds += [_Samples("rgb", RGB, bits) for bits in (2, 4, 8, 10, 12, 14, 16)]
    kinds += [_Samples(f"palette of {entry} bits", PALETTE, bits) for bits in (1, 2, 4, 8) for entry in (8, 16, 257)]
    kinds += [_Samples("inks", CMYK, bits) for bits in (8, 16)]
    kinds += [_Samples("lab", p, bits) for p in (LAB, ICC_LAB) for bits in (8, 16)]
    kinds += [_Samples("ycbcr", YCBCR, 8, block=block) for block in ((1, 1), (2, 1), (2, 2), (4, 2))]
    kinds += [
        _Samples(name, photometric, bits, alpha)
        for name, photometric in (("grey", GREY), ("grey", GREY_FROM_WHITE), ("rgb", RGB), ("inks", CMYK))
        for bits in (8, 16)
        for alpha in (PREMULTIPLIED, STRAIGHT)
        if not (alpha == PREMULTIPLIED and photometric == GREY_FROM_WHITE)
    ]
    return kinds


def all_kinds() -> Iterator[Kind]:
    """Yield every kind of sample in every layout; byte order, BigTIFF and orientation change from one to the next."""
    packings = [(UNPACKED, 1), (LZW, 1), (LZW, 2), (DEFLATE, 1), (DEFLATE, 2), (PACKBITS, 1), (ZSTD, 1)]
    layouts = itertools.product(packings, (1000, 5, 0), (False, True))
    variants = itertools.cycle(itertools.product("<>", (False, True), range(1, 9)))
    for samples, ((packing, predictor), rows, planar) in itertools.product(_all_samples(), list(layouts)):
        is_subsampled = samples.block != (1, 1)
        if predictor == 2 and (samples.bits not in (8, 16) or is_subsampled):
            continue  # libtiff has none of these
        if planar and (is_subsampled or samples.photometric == PALETTE):
            continue
        if is_subsampled and rows == 5:
            rows = 8  # strips hold whole blocks
        order, big, orientation = next(variants)
        yield _kind(samples, Layout(packing, predictor, rows, planar, order, big), orientation)


def _kind(samples: _Samples, layout: Layout, orientation: int) -> Kind:
    stored, shown, tags = _drawn(samples)
    tags["_274"] = (SHORT, [orientation])
    directory = picture(stored, samples.bits, samples.photometric, layout, **tags)
    if samples.block != (1, 1):
        directory.segments = [_in_blocks(part, samples.block, layout) for part in _pieces(stored, layout.rows)]
    data = tiff_file([directory], layout.order, layout.big)
    loss = {YCBCR: 1.5 / 255, LAB: 1.5 / 255 if samples.bits == 8 else 3e-3, ICC_LAB: 1.5 / 255}
    tolerance = loss.get(samples.photometric, 0.51 / ((1 << max(samples.bits, 8)) - 1))
    if samples.photometric == PALETTE:
        tolerance = 0.51 / 255
    elif samples.photometric == CMYK and samples.alpha == PREMULTIPLIED:
        tolerance *= 3  # each ink is rounded before two of them are multiplied
    name = f"{samples} {layout} orientation {orientation}"
    return Kind(name, data, turned(shown, orientation), tolerance)


def _pieces(stored: np.ndarray, rows: int) -> list[np.ndarray]:
    if rows:
        return [stored[top : top + rows] for top in range(0, HEIGHT, rows)]
    full = np.zeros((-(-HEIGHT // 16) * 16, -(-WIDTH // 16) * 16, 3), stored.dtype)
    full[:HEIGHT, :WIDTH] = stored
    return [full[y : y + 16, x : x + 16] for y in range(0, full.shape[0], 16) for x in range(0, full.shape[1], 16)]


def _in_blocks(part: np.ndarray, block: tuple[int, int], layout: Layout) -> bytes:
    """Store one pair of colours for a block of lightnesses (TIFF 6.0, section 21)."""
    from tiff_files import PACKERS

    across, down = block
    rows, width = -(-part.shape[0] // down) * down, -(-part.shape[1] // across) * across
    full = np.zeros((rows, width, 3), np.uint8)
    full[: part.shape[0], : part.shape[1]] = part
    raw = b""
    for y in range(0, rows, down):
        for x in range(0, width, across):
            raw += full[y : y + down, x : x + across, 0].tobytes() + full[y, x, 1:].tobytes()
    return PACKERS[layout.packing](raw)


def turned(shown: np.ndarray, orientation: int) -> np.ndarray:
    """Return a stored picture as EXIF's Orientation asks to see it."""
    return {
        1: lambda p: p,
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: lambda p: np.swapaxes(p, 0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
        8: np.rot90,
    }[orientation](shown)


def _drawn(samples: _Samples) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Return stored samples, what they show, and the tags that say so."""
    rng = np.random.default_rng(samples.photometric * 100 + samples.bits)
    top = (1 << samples.bits) - 1
    channels = {GREY: 1, GREY_FROM_WHITE: 1, PALETTE: 1, CMYK: 4}.get(samples.photometric, 3)
    stored = rng.integers(0, top + 1, (HEIGHT, WIDTH, channels))
    tags: dict[str, object] = {}
    if samples.photometric == PALETTE:
        return _from_palette(stored, samples, rng)
    if samples.photometric in (LAB, ICC_LAB):
        return _lab(samples)
    if samples.photometric == YCBCR:
        return _ycbcr(samples, rng)
    shown = stored / top
    if samples.photometric == GREY_FROM_WHITE:
        shown = 1 - shown
    if samples.alpha:
        alpha = rng.integers(0, top + 1, (HEIGHT, WIDTH, 1))
        tags["_338"] = (SHORT, [samples.alpha])
        if samples.alpha == PREMULTIPLIED:
            stored = np.minimum(stored, alpha)
            shown = np.where(alpha > 0, stored / np.maximum(alpha, 1), 0)
    if samples.photometric == CMYK:
        shown = np.rint((1 - shown) * top) / top
        shown = shown[..., :3] * shown[..., 3:]
    if samples.alpha:
        stored, shown = np.concatenate([stored, alpha], axis=-1), np.concatenate([shown, alpha / top], axis=-1)
    return stored, shown, tags


def _from_palette(
    stored: np.ndarray, samples: _Samples, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    entry_bits = int(samples.name.split()[2])
    table = rng.integers(0, 256, (3, 1 << samples.bits))
    shown = table.T[stored[..., 0]] / 255
    if entry_bits == 16:
        table = rng.integers(0, 65536, table.shape)
        shown = table.T[stored[..., 0]] / 65535
    written = table * 257 if entry_bits == 257 else table
    return stored, shown, {"_320": (SHORT, written.reshape(-1).tolist())}


def _ycbcr(samples: _Samples, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    across, down = samples.block
    y = rng.integers(0, 256, (HEIGHT, WIDTH, 1))
    coarse = rng.integers(80, 176, (-(-HEIGHT // down), -(-WIDTH // across), 2))
    colours = np.repeat(np.repeat(coarse, down, axis=0), across, axis=1)[:HEIGHT, :WIDTH]
    cb, cr = (colours[..., index : index + 1] - 128.0 for index in (0, 1))
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    shown = np.clip(np.concatenate([red, green, blue], axis=-1), 0, 255) / 255
    reference = (5, [0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1])
    return np.concatenate([y, colours], axis=-1), shown, {"_530": (SHORT, [across, down]), "_532": reference}


def _lab(samples: _Samples) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """Draw colours that sRGB has, and let LittleCMS say what their L*a*b* shows."""
    wide, offset = samples.bits == 16, samples.photometric == ICC_LAB
    steps = np.linspace(0.1, 0.9, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    drawn = np.stack([steps, steps[:, ::-1], np.roll(steps, 7, axis=1)], axis=-1)
    srgb, lab_d50 = (ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes() for name in ("sRGB", "LAB"))
    lab = imagecodecs.cms_transform(drawn, srgb, lab_d50, colorspace="rgb", outcolorspace="lab", outdtype="float64")
    full = (65280 if offset else 65535) if wide else 255
    unit = 256 if wide else 1
    stored = np.rint(lab * [full / 100, unit, unit]).astype(np.int64)
    shown_lab = stored / [full / 100, unit, unit]
    shown = imagecodecs.cms_transform(
        shown_lab, lab_d50, srgb, colorspace="lab", outcolorspace="rgb", outdtype="float64"
    )
    stored[..., 1:] += 128 * unit if offset else 0
    return stored & (65535 if wide else 255), np.clip(shown, 0, 1), {}
