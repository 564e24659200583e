"""What a PSD of the fake host must show when psd-tools, which knows neither panel nor server, opens it."""

import base64
from pathlib import Path
from typing import Any, Final

import numpy as np
from colorize_server.color.difference import ciede2000
from colorize_server.color.rgb import LUMA_WEIGHTS, RgbSpace
from colorize_server.picture.photograph import RGB_PROFILES
from numpy.typing import NDArray
from psd_tools import PSDImage
from psd_tools.composite import composite

Picture = NDArray[np.float64]

BLEND_MODES: Final = {"normal": "NORMAL", "color": "COLOR", "multiply": "MULTIPLY", "passThrough": "PASS_THROUGH"}
MAX_LUMA_ERROR: Final = 1.0
"""Levels of 255: Color mode keeps the photograph's luma."""
MAX_MEAN_DELTA_E: Final = 0.6
MAX_P95_DELTA_E: Final = 0.8
"""CIEDE2000 against the server's own composite, L* set equal, where its chroma is at least `MIN_CHROMA`."""
MIN_CHROMA: Final = 10.0
MIN_COLOURED_PIXELS: Final = 1000


def colour_layer(layers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the description of the layer that the panel added."""
    for layer in layers:
        if layer["name"].startswith("Colorize ("):
            return layer
        found = colour_layer(layer["children"] or [])
        if found:
            return found
    return None


def check_layers(layers: Any, described: list[dict[str, Any]]) -> None:
    """Compare order, names, blend modes, opacity, visibility, clipping, bounds and masks.

    Args:
        layers: a PSDImage or a group of it.
        described: the host's layers, from top to bottom.
    """
    opened = list(reversed(list(layers)))
    assert [layer.name for layer in opened] == [layer["name"] for layer in described]
    for layer, expected in zip(opened, described, strict=True):
        assert layer.blend_mode.name == BLEND_MODES[expected["blendMode"]], layer.name
        assert layer.opacity == round(expected["opacity"] * 255 / 100), layer.name
        assert layer.visible is expected["isVisible"], layer.name
        assert bool(layer.clipping) is expected["isClipped"], layer.name
        if expected["children"]:
            check_layers(layer, expected["children"])
            continue
        pixels = expected["pixels"]
        if pixels is None:
            assert layer.bbox == (0, 0, 0, 0), layer.name
            continue
        left, top = pixels["left"], pixels["top"]
        assert layer.bbox == (left, top, left + pixels["width"], top + pixels["height"]), layer.name
        written = np.round(layer.numpy() * 255).astype(np.uint8)  # an opaque layer may come without alpha
        assert np.array_equal(written, samples_of(pixels, 4)[..., : written.shape[-1]]), layer.name
        if expected["mask"] is None:
            assert layer.mask is None, layer.name
        else:
            mask = samples_of(expected["mask"], 1)[..., 0]
            assert np.array_equal(np.asarray(layer.mask.topil()), mask), layer.name


def samples_of(pixels: dict[str, Any], components: int, dtype: Any = np.uint8) -> NDArray[Any]:
    """Return a picture of the host's description as (height, width, components)."""
    data = np.frombuffer(base64.b64decode(pixels["data"]), dtype)
    return data.reshape(pixels["height"], pixels["width"], components)


def composite_of(psd: PSDImage, *hidden: str) -> Picture:
    """Return what is visible, (height, width, 3) in 0..1, with the layers named so hidden."""
    was = {}
    for layer in psd.descendants():
        if any(layer.name.startswith(name) for name in hidden):
            was[layer] = layer.visible
            layer.visible = False
    colour, _, _ = composite(psd, force=True)
    for layer, visible in was.items():
        layer.visible = visible
    return np.asarray(colour, np.float64)


def luma(rgb: Picture) -> Picture:
    """Return the luminosity that Photoshop's Color mode keeps, on encoded values."""
    return rgb @ np.array(LUMA_WEIGHTS)


def colour_error(composed: Picture, reference: Picture, space: RgbSpace) -> NDArray[np.float64]:
    """Return CIEDE2000 with L* set equal at the pixels where the reference has colour."""
    lab, wanted = space.lab_from_encoded(composed), space.lab_from_encoded(reference)
    lab[..., 0] = wanted[..., 0]
    coloured = np.hypot(wanted[..., 1], wanted[..., 2]) >= MIN_CHROMA
    return ciede2000(lab[coloured], wanted[coloured])


def assert_colours(composed: Picture, plain: Picture, reference: Picture, profile: str) -> str:
    """Check a composite against the photograph's luma and the server's colours; returns the numbers in a line.

    Args:
        composed: the visible picture with the colour layer, (n, 3) in 0..1.
        plain: the same without it.
        reference: the server's own composite.
        profile: name of PROTOCOL.md.
    """
    luma_error = float(np.abs(luma(composed) - luma(plain)).max() * 255)
    error = colour_error(composed, reference, RGB_PROFILES[profile])
    mean, p95 = float(error.mean()), float(np.percentile(error, 95))
    line = f"luma {luma_error:.2f} levels, CIEDE2000 mean {mean:.2f}, p95 {p95:.2f}, {error.size} coloured pixels"
    assert error.size >= MIN_COLOURED_PIXELS, line
    assert luma_error <= MAX_LUMA_ERROR, line
    assert mean <= MAX_MEAN_DELTA_E, line
    assert p95 <= MAX_P95_DELTA_E, line
    return line


def check_colours(folder: Path, name: str, document: dict[str, Any], facts: dict[str, Any]) -> str:
    """Check the pixels of `name`.psd against the server's composite of the same photograph.

    Args:
        folder: of a scenario, with composite.raw.
        name: of the PSD.
        document: the host's description of the right document.
        facts: of the scenario: layers to hide, profile, the part within which the photograph is seen.
    """
    colour = colour_layer(document["layers"])
    assert colour is not None
    pixels = colour["pixels"]
    alpha = samples_of(pixels, 4)[..., 3]
    reference = np.frombuffer((folder / "composite.raw").read_bytes(), "<u2") / 65535.0
    reference = reference.reshape(pixels["height"], pixels["width"], -1)[..., :3]
    psd = PSDImage.open(folder / f"{name}.psd")
    hidden = tuple(facts.get("hidden", ()))
    rows = slice(pixels["top"], pixels["top"] + pixels["height"])
    columns = slice(pixels["left"], pixels["left"] + pixels["width"])
    opaque = alpha == 255
    if colour["mask"]:
        opaque &= samples_of(colour["mask"], 1)[rows, columns, 0] == 255
    if "within" in facts:
        left, top, right, bottom = facts["within"]
        frame = np.zeros(psd.size[::-1], bool)
        frame[top:bottom, left:right] = True
        opaque &= frame[rows, columns]
    composed = composite_of(psd, *hidden)[rows, columns][opaque]
    plain = composite_of(psd, "Colorize (", *hidden)[rows, columns][opaque]
    return assert_colours(composed, plain, reference[opaque], facts.get("profile", "srgb"))
