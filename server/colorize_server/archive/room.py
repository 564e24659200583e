"""How much memory photographs need while they are coloured, and how many workers a machine bears."""

from pathlib import Path
from typing import Final

import psutil
import tifffile
from PIL import Image

from ..picture.colorizer import usable_cores

WORKER_BYTES: Final = 260 << 20
"""What a worker holds before its first photograph: libraries and the model.  Measured: 215 MB with the model 1.0.0."""
_BYTES_PER_PIXEL: Final = {8: 12, 16: 24}
"""While a photograph is read, coloured and written.  Measured at 24 megapixels: 6 (grey JPEG to PNG) and 13 (16-bit
TIFF); colour and alpha double it."""
_ORDINARY_BYTES: Final = 24_000_000 * 12
_SHARE: Final = 0.7
"""Of the memory that is free at the start; the rest is for the disk's cache and other programs."""
_BYTES_PER_FILE_BYTE: Final = 40
"""For a file whose header cannot be read here."""


def free_bytes() -> int:
    """Return how much memory a run may use."""
    return int(psutil.virtual_memory().available * _SHARE)


def fitting_workers(budget_bytes: int) -> int:
    """Return how many workers cores and memory bear, each at an ordinary photograph; at least one."""
    return max(1, min(usable_cores(), budget_bytes // (WORKER_BYTES + _ORDINARY_BYTES)))


def pixels_of(path: Path) -> tuple[int, int, int] | None:
    """Return width, height and bits a channel from a picture's header, or None where it cannot be read quickly."""
    try:
        with Image.open(path) as image:
            return image.width, image.height, 16 if image.mode.startswith(("I", "F")) else 8
    except Exception:  # noqa: BLE001, S110 - Pillow raises anything over damaged files; whoever decodes it says why
        pass
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return page.imagewidth, page.imagelength, 16 if page.bitspersample > 8 else 8
    except Exception:  # noqa: BLE001 - likewise
        return None


def needed_bytes(path: Path) -> int:
    """Return how much memory a photograph needs besides what its worker holds anyway."""
    size = pixels_of(path)
    if size is None:
        try:
            return path.stat().st_size * _BYTES_PER_FILE_BYTE
        except OSError:
            return 0
    width, height, bits = size
    return width * height * _BYTES_PER_PIXEL[bits]
