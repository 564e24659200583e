"""Layered files that ``colorize`` writes, read by ag-psd, the JavaScript of others."""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from colorize_server.formats.encode import srgb_profile
from colorize_server.formats.psd import ALPHA, BLUE, GREEN, RED, Blend, Document, Layer, group, write_psd

pytestmark = pytest.mark.photoshop

READER = Path(__file__).with_name("read_psd.mjs")


def digest(pixels: np.ndarray) -> str:
    if pixels.shape[2] == 3:
        opaque = np.full((*pixels.shape[:2], 1), np.iinfo(pixels.dtype).max, pixels.dtype)
        pixels = np.concatenate([pixels, opaque], -1)
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("psb", [False, True])
def test_ag_psd_reads_layers_names_and_samples(tmp_path: Path, dtype: type, psb: bool) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (21, 34, 4)).astype(dtype)
    colour = {RED: pixels[..., 0], GREEN: pixels[..., 1], BLUE: pixels[..., 2]}
    layers = [
        Layer("Photograph", colour),
        *group(
            "Farbe 群",
            [
                Layer("Großmutter", colour | {ALPHA: pixels[..., 3]}, Blend.COLOR),
                Layer("祖母", blend=Blend.COLOR),
                Layer("guesses", colour, is_hidden=True, is_clipped=True),
            ],
        ),
    ]
    path = tmp_path / ("x.psb" if psb else "x.psd")
    with path.open("wb") as file:
        write_psd(file, Document(pixels[..., :3], layers, srgb_profile()), psb=psb)
    read = json.loads(subprocess.run(["node", READER, path], capture_output=True, check=True, cwd=READER.parent).stdout)
    assert (read["size"], read["bits"]) == ([34, 21], 8 * np.dtype(dtype).itemsize)
    assert read["merged"] == digest(pixels[..., :3])
    photograph, colours = read["layers"]
    assert (photograph["name"], photograph["samples"]) == ("Photograph", digest(pixels[..., :3]))
    assert (colours["name"], colours["blend"]) == ("Farbe 群", "pass through")
    first, empty, last = colours["children"]
    assert (first["name"], first["blend"], first["samples"]) == ("Großmutter", "color", digest(pixels))
    assert (empty["name"], empty["box"], empty["samples"]) == ("祖母", [0, 0, 0, 0], None)
    assert (last["hidden"], last["clipped"]) == (True, True)
