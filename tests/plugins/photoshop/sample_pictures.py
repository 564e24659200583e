"""Historical photographs as the fake host's documents want them: RGBA bytes, small."""

import json
import os
from pathlib import Path
from typing import Final

from PIL import Image

REPOSITORY: Final = Path(__file__).parents[3]
FOLDER: Final = Path(os.environ.get("COLORIZE_PHOTOGRAPHS", REPOSITORY / "tests" / "photographs"))
LONG_SIDE: Final = 330
"""Pixels; small, because every scenario sends one and the network sees 256 pixels anyway."""

SMALL: Final = {"girl": "girl-1870.jpg", "loggers": "appalachian-loggers-1901.jpg", "whitman": "walt-whitman-1880s.jpg"}
WHOLE: Final = {
    **SMALL,
    "apsaroke": "apsaroke-1908.jpg",
    "mother": "migrant-mother-1936.jpg",
    "blizzard": "new-york-blizzard-1899.jpg",
}


def prepare(folder: Path) -> None:
    """Write NAME.rgba and NAME.json into ``photographs`` (small) and ``whole`` (as large as they are) of `folder`."""
    _write(folder / "photographs", SMALL, LONG_SIDE)
    _write(folder / "whole", WHOLE, None)


def _write(folder: Path, names: dict[str, str], long_side: int | None) -> None:
    folder.mkdir(parents=True)
    for name, file in names.items():
        with Image.open(FOLDER / file) as photograph:
            grey = photograph.convert("L")
        if long_side:
            grey.thumbnail((long_side, long_side))
        (folder / f"{name}.rgba").write_bytes(grey.convert("RGBA").tobytes())
        (folder / f"{name}.json").write_text(json.dumps({"width": grey.width, "height": grey.height}))
