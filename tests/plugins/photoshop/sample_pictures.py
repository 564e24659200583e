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

NAMES: Final = {"girl": "girl-1870.jpg", "loggers": "appalachian-loggers-1901.jpg", "whitman": "walt-whitman-1880s.jpg"}


def prepare(folder: Path) -> None:
    """Write NAME.rgba and NAME.json for each photograph into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in NAMES.items():
        with Image.open(FOLDER / file) as photograph:
            grey = photograph.convert("L")
        grey.thumbnail((LONG_SIDE, LONG_SIDE))
        (folder / f"{name}.rgba").write_bytes(grey.convert("RGBA").tobytes())
        (folder / f"{name}.json").write_text(json.dumps({"width": grey.width, "height": grey.height}))
