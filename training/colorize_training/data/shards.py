"""Tar shards of pictures (WebDataset layout: one member a picture) with a ``manifest.csv``; reading and writing.

WebDataset: Aizman, Maltby and Breuel, "High Performance I/O For Large Scale Deep Learning" (2019).
"""

import csv
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_training.errors import DataError
from colorize_training.models.checkpoint import write_atomically

MANIFEST_NAME: Final = "manifest.csv"
PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
"""File names that are taken for pictures, lower case."""


@dataclass(frozen=True)
class Picture:
    """One line of the manifest."""

    shard: str
    key: str
    set: str  # "people", "scenes", or what ``prepare`` was told
    source: str  # repository or folder it comes from
    licence: str
    width: int  # pixels
    height: int
    colorfulness: float  # Hasler and Suesstrunk 2003
    phash: int  # 64-bit perceptual hash


def read_manifest(folder: Path) -> list[Picture]:
    """Read the manifest of a shard folder.

    Raises:
        DataError: if there is none, or it lacks a column.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise DataError(
            f"There is no {MANIFEST_NAME} in {folder}.",
            "Make one with: colorize-train prepare PHOTOS --out FOLDER, or give the right folder with --data.",
        )
    pictures = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                pictures.append(
                    Picture(
                        shard=row["shard"],
                        key=row["key"],
                        set=row["set"],
                        source=row["source"],
                        licence=row["licence"],
                        width=int(row["width"]),
                        height=int(row["height"]),
                        colorfulness=float(row["colorfulness"]),
                        phash=int(row["phash"], 16),
                    )
                )
            except (KeyError, ValueError, TypeError) as error:
                raise DataError(
                    f"Line {line} of {path} cannot be read ({error!r}).", "Make the manifest again with prepare."
                ) from error
    if not pictures:
        raise DataError(f"{path} lists no picture.", "Prepare a folder that holds colour photographs.")
    return pictures


def write_manifest(folder: Path, pictures: Iterable[Picture]) -> None:
    """Write ``manifest.csv`` in the column order of :class:`Picture`; the former one stands until it is whole.

    Raises:
        DiskError: if it cannot be written; the former manifest is intact.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(Picture)])
    for p in pictures:
        writer.writerow(
            (
                p.shard,
                p.key,
                p.set,
                p.source,
                p.licence,
                p.width,
                p.height,
                f"{p.colorfulness:.1f}",
                f"{p.phash:016x}",
            )
        )
    write_atomically(folder / MANIFEST_NAME, text.getvalue().encode())


def write_shard(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write encoded pictures to one tar file; timestamps are zero so that equal input gives equal bytes.

    Raises:
        DiskError: if it cannot be written; nothing is left half-written.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for key, data in members:
            info = tarfile.TarInfo(key)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    write_atomically(path, buffer.getvalue())


def _member_offsets(path: Path) -> Iterator[tuple[str, int, int]]:
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isfile():
                    yield member.name, member.offset_data, member.size
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"The shard {path} cannot be read ({error}).", "Copy or prepare it again.") from error


class PictureStore:
    """Random access to the encoded pictures of a shard folder, through memory maps (shared between processes)."""

    def __init__(self, folder: Path, pictures: Iterable[Picture]) -> None:
        self._maps: dict[str, NDArray[np.uint8]] = {}
        self._offsets: dict[tuple[str, str], tuple[int, int]] = {}
        for shard in sorted({picture.shard for picture in pictures}):
            path = folder / shard
            for key, offset, size in _member_offsets(path):
                self._offsets[shard, key] = (offset, size)
            self._maps[shard] = np.memmap(path, dtype=np.uint8, mode="r")

    def encoded(self, picture: Picture) -> bytes:
        """Return the file's bytes.

        Raises:
            DataError: if the shard does not hold the picture.
        """
        try:
            offset, size = self._offsets[picture.shard, picture.key]
        except KeyError as error:
            raise DataError(
                f"The shard {picture.shard} holds no {picture.key}.", "Manifest and shards do not belong together."
            ) from error
        return self._maps[picture.shard][offset : offset + size].tobytes()

    def open(self, picture: Picture) -> Image.Image:
        """Decode a picture to RGB.

        Raises:
            DataError: if the picture is damaged.
        """
        try:
            return Image.open(io.BytesIO(self.encoded(picture))).convert("RGB")
        except OSError as error:
            raise DataError(
                f"The picture {picture.key} of {picture.shard} is damaged ({error}).", "Prepare the shard again."
            ) from error
