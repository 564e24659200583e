"""Turn folders of photographs into shards: score, drop what teaches nothing, keep the most colourful.

The article's recipe: "the most colourful part of a broad set" first, people second.
"""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from colorize_server.color.rgb import SRGB
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from colorize_training.data.perceptual import distances, is_toned, perceptual_hash
from colorize_training.data.shards import (
    MANIFEST_NAME,
    PICTURE_SUFFIXES,
    Picture,
    read_manifest,
    write_manifest,
    write_shard,
)
from colorize_training.errors import DataError, DiskError
from colorize_training.measure.metrics import colorfulness

GREY_COLORFULNESS: Final = 6.0
"""Hasler and Suesstrunk's M3 below which a picture counts as grey (their "not colourful" is 0, "slightly" 15)."""

DUPLICATE_DISTANCE: Final = 6
_SCORE_SIDE_PX: Final = 96
_SHARD_BYTES: Final = 18_000_000
_MAX_ASPECT: Final = 1.6
_WEBP_QUALITY: Final = 88


@dataclass(frozen=True)
class PrepareOptions:
    """What to keep."""

    keep: int = 0  # the K most colourful; 0 = all that are fit
    set: str = "scenes"
    side_px: int = 256  # short side of the stored pictures
    min_side_px: int = 96
    licence: str = "unknown"


@dataclass
class PrepareReport:
    """What was found, what was dropped and why."""

    found: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.dropped.items()))
        return f"{self.found:,} files, {self.kept:,} pictures kept" + (f"; dropped: {reasons}" if reasons else "")


@dataclass(frozen=True)
class _Candidate:
    path: Path
    source: str
    colorfulness: float
    phash: int


def demand_folder(folder: Path) -> None:
    """Refuse a folder of photographs that is not there.

    Raises:
        DataError: if there is none.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "Name a folder with photographs.")


def picture_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder whose name looks like a picture's, in a stable order."""
    yield from sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())


def _srgb_from_profile(image: Image.Image) -> Image.Image:
    """Bring a picture to sRGB by its embedded ICC profile; as it is, in RGB, where there is none that can be used."""
    data = image.info.get("icc_profile")
    if image.mode not in ("L", "RGB", "CMYK"):  # those that a profile of ICC.1 can speak of
        image = image.convert("RGB")
    if data:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
            converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            # A broken profile, or one of other channels than the picture's: most such pictures are sRGB.
            pass
        else:
            assert converted is not None  # noqa: S101  (narrows the type; None is for conversion in place)
            image = converted
    image = image.convert("RGB")
    image.info.pop("icc_profile", None)  # else it would be written into the shards
    return image


def open_upright(path: Path) -> Image.Image:
    """Decode a file whole, upright, as RGB in sRGB (by its ICC profile); transparent parts become white.

    Raises:
        OSError, ValueError, SyntaxError: if the file is damaged or no picture.
    """
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            # Pasted after the conversion: white is white in any profile, but a mixture is not.
            white = Image.new("RGB", image.size, "white")
            return Image.composite(_srgb_from_profile(image), white, image.getchannel("A"))
        return _srgb_from_profile(image)


def _unfit(image: Image.Image, options: PrepareOptions) -> str:
    """Name the reason why a picture teaches nothing, "" if it is fit."""
    if min(image.size) < options.min_side_px:
        return "tiny"
    thumbnail = image.copy()
    thumbnail.thumbnail((_SCORE_SIDE_PX, _SCORE_SIDE_PX), Image.Resampling.BOX)
    rgb = np.asarray(thumbnail)
    if colorfulness(rgb) < GREY_COLORFULNESS:
        return "grey"
    lab = SRGB.lab_from_encoded(rgb.reshape(-1, 3) / 255.0)
    return "toned" if is_toned(np.asarray(lab, np.float64)) else ""


def score_folder(folder: Path, options: PrepareOptions, report: PrepareReport) -> list[_Candidate]:
    """Look at every picture once; unfit and damaged ones are counted in the report."""
    candidates = []
    for path in picture_files(folder):
        report.found += 1
        try:
            image = open_upright(path)
            reason = _unfit(image, options)
            if reason:
                report.dropped[reason] += 1
                continue
            small = image.copy()
            small.thumbnail((options.side_px * 2, options.side_px * 2), Image.Resampling.BOX)
            parts = path.relative_to(folder).parts
            source = parts[0] if len(parts) > 1 else folder.resolve().name
            score = colorfulness(np.asarray(small))
            candidates.append(_Candidate(path, source, score, perceptual_hash(image)))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
            # Pillow's plug-ins raise all of these for damaged files.
            report.dropped["corrupt"] += 1
    return candidates


def drop_duplicates(candidates: Iterable[_Candidate], report: PrepareReport) -> list[_Candidate]:
    """Keep the most colourful of every cluster of near-duplicates, in order of colourfulness."""
    ordered = sorted(candidates, key=lambda c: (-c.colorfulness, str(c.path)))
    hashes = np.zeros(len(ordered), np.uint64)
    kept: list[_Candidate] = []
    for candidate in ordered:
        if len(kept) and distances(hashes[: len(kept)], candidate.phash).min() <= DUPLICATE_DISTANCE:
            report.dropped["duplicate"] += 1
            continue
        hashes[len(kept)] = candidate.phash
        kept.append(candidate)
    return kept


def _encode(path: Path, side_px: int) -> tuple[bytes, tuple[int, int]]:
    image = open_upright(path)
    width, height = image.size
    longest = round(min(width, height) * _MAX_ASPECT)
    if max(width, height) > longest:
        image = ImageOps.fit(image, (min(width, longest), min(height, longest)))
    scale = side_px / min(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_WEBP_QUALITY)
    return buffer.getvalue(), image.size


def _key(candidate: _Candidate, folder: Path) -> str:
    """Name a member by its path and a digest of it: flat, unique, and readable."""
    relative = candidate.path.relative_to(folder).as_posix()
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(relative).with_suffix("").as_posix()).strip("-")[-40:]
    return f"{stem}_{hashlib.sha256(relative.encode()).hexdigest()[:8]}.webp"


def prepare(folder: Path, out: Path, options: PrepareOptions) -> PrepareReport:
    """Make shards and a manifest from any folder; a set is added to what the out folder already holds.

    Raises:
        DataError: if the folder is missing, holds no picture, none of them is usable, or the set exists already.
        DiskError: if the shards cannot be written; what the out folder held before is intact.
    """
    demand_folder(folder)
    former = read_manifest(out) if (out / MANIFEST_NAME).is_file() else []
    if any(picture.set == options.set for picture in former):
        raise DataError(f"{out} already holds a set {options.set!r}.", "Choose another --out or --set.")
    report = PrepareReport()
    candidates = score_folder(folder, options, report)
    if not report.found:
        raise DataError(f"There is no picture in {folder}.", "Name a folder with JPEG, PNG, WebP or TIFF files.")
    kept = drop_duplicates(candidates, report)
    if options.keep and len(kept) > options.keep:
        report.dropped["less colourful"] += len(kept) - options.keep
        kept = kept[: options.keep]
    if not kept:
        raise DataError(f"No picture of {folder} can be used ({report}).", "Training needs colour photographs.")
    # Shuffled by name, so that a shard is not sorted by colour.
    kept.sort(key=lambda c: hashlib.sha256(str(c.path.relative_to(folder)).encode()).digest())
    try:
        out.mkdir(parents=True, exist_ok=True)
        pictures = list(_write_shards(kept, folder, out, options))
        write_manifest(out, [*former, *pictures])  # last: until it is there, the new shards belong to nothing
    except OSError as error:
        raise DiskError(f"{out} cannot be written ({error.strerror}).", "Choose another folder with --out.") from error
    report.kept = len(pictures)
    return report


def _write_shards(kept: list[_Candidate], folder: Path, out: Path, options: PrepareOptions) -> Iterator[Picture]:
    members: list[tuple[str, bytes]] = []
    number, used = 0, 0
    for candidate in kept:
        data, (width, height) = _encode(candidate.path, options.side_px)
        if members and used + len(data) > _SHARD_BYTES:
            write_shard(out / f"{options.set}-{number:04d}.tar", members)
            members, used, number = [], 0, number + 1
        key = _key(candidate, folder)
        members.append((key, data))
        used += len(data)
        yield Picture(
            shard=f"{options.set}-{number:04d}.tar",
            key=key,
            set=options.set,
            source=candidate.source,
            licence=options.licence,
            width=width,
            height=height,
            colorfulness=candidate.colorfulness,
            phash=candidate.phash,
        )
    write_shard(out / f"{options.set}-{number:04d}.tar", members)
