"""Make the README's before-and-after picture with the shipped model (``make pictures``)."""

from pathlib import Path

from colorize_server.backends import open_backend
from colorize_server.colorizer import Colorizer
from colorize_server.decode import decode_picture
from colorize_server.model import load_model, shipped_model_path
from colorize_server.options import Options, Output
from PIL import Image

PHOTOGRAPHS = Path(__file__).parent / "photographs"
TARGET = Path(__file__).parents[1] / "server" / "pictures" / "before-after.jpg"
SHOWN = ("migrant-mother-1936.jpg", "girl-1870.jpg", "walt-whitman-1880s.jpg")
HEIGHT = 420


def main() -> None:
    """Write the picture: each photograph in grey (as the model sees it), then in colour."""
    model = load_model(shipped_model_path())
    colorizer = Colorizer(open_backend("auto", model), model)
    tiles = []
    for name in SHOWN:
        photograph = decode_picture((PHOTOGRAPHS / name).read_bytes())
        for saturation in (0.0, 1.0):
            pixels, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE, saturation=saturation))
            tile = Image.fromarray(pixels)
            tiles.append(tile.resize((round(tile.width * HEIGHT / tile.height), HEIGHT), Image.Resampling.LANCZOS))
    colorizer.close()
    sheet = Image.new("RGB", (sum(t.width for t in tiles), HEIGHT))
    at = 0
    for tile in tiles:
        sheet.paste(tile, (at, 0))
        at += tile.width
    TARGET.parent.mkdir(exist_ok=True)
    sheet.save(TARGET, quality=90, subsampling=0)


if __name__ == "__main__":
    main()
