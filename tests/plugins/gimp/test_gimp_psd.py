"""Layered files that ``colorize --as psd`` writes, opened in a real GIMP."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from colorize_server.cli.colorize import main
from colorize_server.color.rgb import SRGB
from colorize_server.formats.encode import srgb_profile
from colorize_server.formats.psd import ALPHA, BLUE, GREEN, RED, Blend, Document, Layer, group, write_psd
from composites import dump, dump_visible
from gimp_root import Gimp, Session
from PIL import Image

pytestmark = pytest.mark.gimp

MEAN_DIFFERENCE = {8: 0.3, 16: 0.15}
"""dE76 between what GIMP shows of the layers and the composite that is made for GIMP, by depth.  In 8 bits both are
rounded, which by itself makes about 0.2."""


def difference(shown: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return dE76 of levels 0..1 of sRGB."""
    return np.linalg.norm(SRGB.lab_from_encoded(shown) - SRGB.lab_from_encoded(expected), axis=-1)


def levels(path: Path) -> np.ndarray:
    pixels = tifffile.imread(path)
    return pixels[..., :3] / np.iinfo(pixels.dtype).max


def photograph_as(kind: str, photographs: Path, folder: Path) -> Path:
    """Write a photograph as a TIFF of 8 or 16 bits, grey, toned or with alpha."""
    with Image.open(photographs / "girl-1870.jpg") as image:
        grey = np.asarray(image.convert("L"))[200:520, 100:500]
    stored: np.ndarray = grey
    extra = None
    if "16" in kind:
        noise = np.random.default_rng(0).integers(-128, 128, grey.shape)
        stored = (grey.astype(np.int32) * 257 + noise).clip(0, 65535).astype(np.uint16)
    if "toned" in kind:
        top = np.iinfo(stored.dtype).max
        share = stored / top
        stored = np.rint(np.stack([share**0.9, share, share**1.15], -1) * top).astype(stored.dtype)
    if "alpha" in kind:
        ramp = np.linspace(0, np.iinfo(stored.dtype).max, grey.shape[1]).astype(stored.dtype)
        alpha = np.broadcast_to(ramp, grey.shape)
        stored = np.stack([stored, alpha], -1)
        extra = ["unassalpha"]
    path = folder / "scan.tif"
    photometric = "rgb" if "toned" in kind else "minisblack"
    tifffile.imwrite(path, stored, photometric=photometric, extrasamples=extra, metadata=None, compression="deflate")
    return path


@pytest.mark.parametrize("kind", ["grey 8", "grey 16", "toned 8", "toned 16", "alpha 8", "alpha 16"])
def test_gimp_shows_the_layers_as_its_own_composite(
    gimp: Gimp, session: Session, photographs: Path, tmp_path: Path, kind: str
) -> None:
    scan = photograph_as(kind, photographs, tmp_path)
    assert main([str(scan), "--as", "psd", "--doubt", str(tmp_path / "doubt.png")]) == 0
    assert main([str(scan), "--host", "gimp", "-o", str(tmp_path / "gimp.tif")]) == 0
    image = gimp.call("open_image", path=session.share(tmp_path / "scan.colour.psd"))["image"]
    try:
        described = gimp.call("describe", image=image)
        names = [layer["name"] for layer in described["layers"]]
        by_name = {layer["name"]: layer for layer in described["layers"]}
        assert {"Photograph", "Colour", "Touch-ups", "Where the model guesses"} <= set(names)
        assert by_name["Colour"]["mode"] == by_name["Touch-ups"]["mode"] == "lch-color"
        assert by_name["Where the model guesses"]["visible"] is False
        expected = tifffile.imread(tmp_path / "gimp.tif")
        height, width = expected.shape[:2]
        depth = 16 if "16" in kind else 8
        channels = 4 if "alpha" in kind else 3
        shown = dump_visible(gimp, session, image, [width, height], channels, depth)
        top = 2**depth - 1
        if "alpha" in kind:
            assert np.abs(shown[..., 3].astype(int) - expected[..., 3].astype(int)).max() <= top / 255
            seen = expected[..., 3] > top // 4
        else:
            seen = np.ones((height, width), bool)
        found = difference(shown[..., :3] / top, expected[..., :3] / top)[seen]
        print(kind, found.mean(), np.percentile(found, 99.9), found.max())
        assert found.mean() <= MEAN_DIFFERENCE[depth]
        base = dump(gimp, session, by_name["Photograph"]["id"], [width, height], 3, depth)
        stored = tifffile.imread(scan)
        stored = stored[..., :1] if "alpha" in kind else stored.reshape(height, width, -1)
        np.testing.assert_array_equal(base, np.broadcast_to(stored, base.shape))
    finally:
        gimp.call("close", image=image)


def test_gimp_reads_every_name(gimp: Gimp, session: Session, tmp_path: Path) -> None:
    """Umlauts and Japanese, and a name of more than 255 bytes."""
    names = ["Großmutter, um 1870", "祖母の写真", "ä" * 200]
    pixels = np.full((8, 9, 3), 90, np.uint8)
    planes = {RED: pixels[..., 0], GREEN: pixels[..., 1], BLUE: pixels[..., 2]}
    plane_sets = [planes, planes | {ALPHA: pixels[..., 0]}, {}]
    layers = [Layer(name, planes, Blend.COLOR) for name, planes in zip(names, plane_sets, strict=True)]
    stream = io.BytesIO()
    write_psd(stream, Document(pixels, group("Gruppe 群", layers), srgb_profile()))
    (tmp_path / "names.psd").write_bytes(stream.getvalue())
    image = gimp.call("open_image", path=session.share(tmp_path / "names.psd"))["image"]
    described = gimp.call("describe", image=image)
    gimp.call("close", image=image)
    assert [layer["name"] for layer in described["layers"]] == ["Gruppe 群", *names[::-1]]
