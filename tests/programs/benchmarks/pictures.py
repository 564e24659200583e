"""Make the pictures of the documents with the shipped model (``make pictures``)."""

from pathlib import Path

import numpy as np
from colorize_server.backends import open_backend
from colorize_server.color.gamut import chroma_in_gamut
from colorize_server.color.rgb import SRGB
from colorize_server.formats.decode import decode_picture
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.options import Options, Output
from PIL import Image

from benchmarks.bilinear import bilinear_chroma

PHOTOGRAPHS = Path(__file__).parents[2] / "photographs"
TARGET = Path(__file__).parents[3] / "server" / "pictures"
SHOWN = ("migrant-mother-1936.jpg", "girl-1870.jpg", "walt-whitman-1880s.jpg")
HEIGHT = 420
EDGES_OF = "walt-whitman-1880s.jpg"
EDGES_AT = (150, 40, 600, 560)
"""Left, top, right, bottom of the part that shows how chroma follows edges."""
EDGES_LIGHTNESS = 65
ZOOM = 1


def before_after(colorizer: Colorizer) -> Image.Image:
    """Return each photograph in grey (as the model sees it), then in colour."""
    tiles = []
    for name in SHOWN:
        photograph = decode_picture((PHOTOGRAPHS / name).read_bytes())
        for saturation in (0.0, 1.0):
            pixels, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE, saturation=saturation))
            tile = Image.fromarray(pixels)
            tiles.append(tile.resize((round(tile.width * HEIGHT / tile.height), HEIGHT), Image.Resampling.LANCZOS))
    return side_by_side(tiles)


def edges(colorizer: Colorizer, model: Model) -> Image.Image:
    """Return a part of a photograph: its grey, and the chroma above it, enlarged bilinearly and along edges as we do.

    Chroma is shown alone, at one lightness, because the photograph's own detail would hide how blurred it is.
    """
    photograph = decode_picture((PHOTOGRAPHS / EDGES_OF).read_bytes())
    ours, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE))
    chroma = [bilinear_chroma(photograph, None, model), np.moveaxis(SRGB.lab_from_encoded(ours / 255), -1, 0)[1:]]
    flat = np.full(ours.shape[:2], EDGES_LIGHTNESS, np.float32)
    pictures = [Image.fromarray(photograph.pixels[..., 0])]
    for a, b in chroma:
        _, _, linear = chroma_in_gamut(flat, np.float32(a), np.float32(b), np.linalg.inv(SRGB.to_relative_xyz))
        encoded = SRGB.encoded_from_linear(np.moveaxis(linear, 0, -1))
        pictures.append(Image.fromarray(np.rint(encoded * 255).astype(np.uint8)))
    left, top, right, bottom = EDGES_AT
    size = ((right - left) * ZOOM, (bottom - top) * ZOOM)
    return side_by_side([p.crop(EDGES_AT).resize(size, Image.Resampling.NEAREST) for p in pictures])


def side_by_side(tiles: list[Image.Image]) -> Image.Image:
    """Return pictures of the same height in a row."""
    sheet = Image.new("RGB", (sum(t.width for t in tiles), tiles[0].height))
    at = 0
    for tile in tiles:
        sheet.paste(tile, (at, 0))
        at += tile.width
    return sheet


def main() -> None:
    """Write the pictures."""
    model = load_model(shipped_model_path())
    colorizer = Colorizer(open_backend("auto", model), model)
    TARGET.mkdir(exist_ok=True)
    before_after(colorizer).save(TARGET / "before-after.jpg", quality=88, subsampling=0)
    edges(colorizer, model).save(TARGET / "edges.jpg", quality=92, subsampling=0)
    colorizer.close()


if __name__ == "__main__":
    main()
