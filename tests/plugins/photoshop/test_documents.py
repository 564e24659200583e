"""The documents that the panel leaves, written as PSD and opened by psd-tools."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blend_modes import photoshop_color
from colorize_server.color.difference import ciede2000
from colorize_server.color.gamut import chroma_in_gamut
from colorize_server.color.rgb import SRGB
from psd_check import (
    assert_colours,
    check_colours,
    check_layers,
    colour_layer,
    composite_of,
    luma,
    samples_of,
)
from psd_tools import PSDImage
from sample_pictures import WHOLE

pytestmark = [pytest.mark.photoshop, pytest.mark.timeout(900)]

WITH_PSD = [
    "plain", "masked photograph", "clipping stack", "doubt", "hints", "selection to mask", "multiply", "visible",
    "transparency and offset", "background", "inside a group", "group", "smart object, clipped", "greyscale",
    "strong colours, sRGB", "strong colours, Adobe RGB (1998)", "the touch-up loop",
]  # fmt: skip
WITH_REFERENCE = [
    "plain", "masked photograph", "doubt", "selection to mask", "transparency and offset", "background",
    "inside a group", "group", "smart object, clipped", "strong colours, sRGB", "strong colours, Adobe RGB (1998)",
]  # fmt: skip
MAX_HINT_DELTA_E = 6.0
NEAR_WHITE = 85.0
"""L* above which Color mode, which keeps luma, has less chroma left for a bright green than the same L* has."""
MAX_NEAR_WHITE_DELTA_E = 8.0


def facts_of(folder: Path, name: str = "result") -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text())


@pytest.mark.parametrize("scenario", WITH_PSD)
def test_layers(evidence: Any, scenario: str) -> None:
    """psd-tools sees the layers that the host held: order, names, modes, opacity, clipping, masks, pixels."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    check_layers(PSDImage.open(folder / "result.psd"), facts["document"]["layers"])
    colour = colour_layer(facts["document"]["layers"])
    assert colour is not None
    assert colour["blendMode"] == facts["blend"]
    for name in facts.get("clipped", []):
        layers = {layer.name: layer for layer in PSDImage.open(folder / "result.psd").descendants()}
        assert layers[name].clipping, f"{name} is still clipped"


@pytest.mark.parametrize("scenario", WITH_REFERENCE)
def test_colours(evidence: Any, scenario: str) -> None:
    """The composite keeps the photograph's luma and shows the server's colours."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    print(check_colours(folder, "result", facts["document"], facts))


# On pale colours the two kinds of layer are the same within the rounding of 8 bits; on strong ones they are not.
@pytest.mark.parametrize(
    ("scenario", "wrong"),
    [
        ("plain", "grey"),
        ("strong colours, sRGB", "grey"),
        ("strong colours, sRGB", "unadjusted"),
        ("strong colours, Adobe RGB (1998)", "unadjusted"),
    ],
)
def test_wrong_colours_fail(evidence: Any, scenario: str, wrong: str) -> None:
    """A grey layer, and one that was not made for Photoshop's Color mode, do not pass for the right one."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    with pytest.raises(AssertionError, match="CIEDE2000"):
        check_colours(folder, wrong, facts["document"], facts)


@pytest.mark.parametrize("scenario", ["selection to mask", "masked photograph"])
def test_outside_the_mask_nothing_changes(evidence: Any, scenario: str) -> None:
    """The mask is the colours' own, or the photograph's, which limits the colours that are clipped to it."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    [described] = [layer["mask"] for layer in facts["document"]["layers"] if layer["mask"]]
    mask = samples_of(described, 1)[..., 0]
    psd = PSDImage.open(folder / "result.psd")
    hidden = tuple(facts.get("hidden", ()))
    composed, plain = composite_of(psd, *hidden), composite_of(psd, "Colorize (", *hidden)
    assert (mask == 0).sum() > 10_000
    assert np.abs(composed - plain)[mask == 0].max() == 0
    assert np.abs(composed - plain)[mask == 255].max() > 0.02


@pytest.mark.parametrize("scenario", ["hints"])
def test_hints_are_met(evidence: Any, scenario: str) -> None:
    """Under a stroke the picture takes the stroke's colour, as far as the photograph's lightness lets it."""
    folder = evidence.of(scenario)
    for rgb, got, wanted in under_strokes(folder / "result.psd", facts_of(folder)):
        error = ciede2000(got, wanted)
        print(f"{rgb}: CIEDE2000 mean {error.mean():.2f}, max {error.max():.2f}")
        assert error.max() <= MAX_HINT_DELTA_E


@pytest.mark.parametrize("scenario", [f"thin strokes, {photograph}" for photograph in WHOLE])
def test_thin_strokes_are_met(evidence: Any, scenario: str) -> None:
    """Three pixels of a colour that the model does not choose by itself are enough."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    height, width = facts["document"]["height"], facts["document"]["width"]
    without = np.frombuffer((folder / "without.raw").read_bytes(), np.uint8)
    without = without.reshape(height, width, 4)[..., :3] / 255.0
    by_itself = under_strokes(folder / "result.psd", facts, without)
    for (rgb, got, wanted), (_, unhinted, _) in zip(
        under_strokes(folder / "result.psd", facts), by_itself, strict=True
    ):
        error = ciede2000(got, wanted)
        print(f"{rgb}: CIEDE2000 mean {error.mean():.2f}, max {error.max():.2f}, {len(error)} pixels")
        assert error.max() <= MAX_NEAR_WHITE_DELTA_E
        assert error[wanted[:, 0] <= NEAR_WHITE].max() <= MAX_HINT_DELTA_E
        assert ciede2000(unhinted, wanted).mean() > MAX_HINT_DELTA_E, "the model would have chosen this colour"


@pytest.mark.parametrize("scenario", ["the touch-up loop"])
def test_no_stroke_is_lost(evidence: Any, scenario: str) -> None:
    """After the last run psd-tools finds every stroke on Touch-ups, in mode Color above all colours."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    psd = PSDImage.open(folder / "result.psd")
    top, *colours = [layer for layer in reversed(list(psd)) if layer.name.startswith(("Touch-ups", "Colorize ("))]
    assert (top.name, top.blend_mode.name, top.visible) == ("Touch-ups", "COLOR", True)
    assert len(colours) == 5
    assert [layer.blend_mode.name for layer in colours] == ["COLOR"] * 5
    painted = np.zeros((psd.height, psd.width, 4))
    left, upper, right, lower = top.bbox
    painted[upper:lower, left:right] = top.numpy()
    for x, y, width, height, rgb in facts["strokes"]:
        core = painted[y + 2 : y + height - 2, x + 2 : x + width - 2]
        assert core[..., 3].min() >= 250 / 255, rgb
        assert np.abs(core[..., :3] * 255 - rgb).max() <= 4, rgb
    assert (painted[..., 3] > 0).mean() < 0.06, "nothing else is on it"


Strokes = list[tuple[tuple[int, int, int], np.ndarray, np.ndarray]]


def under_strokes(psd: Path, facts: dict[str, Any], shown: np.ndarray | None = None) -> Strokes:
    """Return each stroke's colour with what is shown under it and what is wanted there, (n, 3) Lab, L* set equal.

    Args:
        psd: the document.
        facts: of the scenario.
        shown: the picture to look at, (height, width, 3) in 0..1; the document's own composite if None.
    """
    colour = colour_layer(facts["document"]["layers"])
    assert colour is not None
    left, top = colour["pixels"]["left"], colour["pixels"]["top"]
    opened = PSDImage.open(psd)
    lab = SRGB.lab_from_encoded(composite_of(opened) if shown is None else shown)
    lightness = SRGB.lab_from_encoded(composite_of(opened, "Colorize ("))[..., 0]
    found = []
    for x, y, width, height, rgb in facts["strokes"]:
        region = np.s_[top + y : top + y + height, left + x : left + x + width]
        light = lightness[region].ravel().astype(np.float32)
        _, a, b = (np.full_like(light, value) for value in SRGB.lab_from_encoded(np.array(rgb) / 255.0))
        wanted = chroma_in_gamut(light, a, b, np.linalg.inv(SRGB.to_relative_xyz))[:2]
        got = lab[region].reshape(-1, 3)[:, 1:]
        found.append((tuple(rgb), np.column_stack([light, got]), np.column_stack([light, *wanted])))
    return found


@pytest.mark.parametrize("scenario", ["multiply"])
def test_multiply_colours_paper_and_keeps_lines(evidence: Any, scenario: str) -> None:
    """In Multiply mode white paper takes the colour that Color mode could not give it, and black lines stay black."""
    folder = evidence.of(scenario)
    document = facts_of(folder)["document"]
    _touch_ups, colour, drawing = document["layers"]
    assert colour["blendMode"] == "multiply"
    art = samples_of(drawing["pixels"], 4)[..., :3]
    composed = composite_of(PSDImage.open(folder / "result.psd"))
    paper, lines = (art == 255).all(-1), (art == 0).all(-1)
    assert lines.sum() > 1000
    assert luma(composed)[lines].max() <= 1 / 255
    lab = SRGB.lab_from_encoded(composed[paper])
    assert np.abs(lab[:, 0] - 88).max() <= 0.6, "the layer's lightness is 88"
    assert np.hypot(lab[:, 1], lab[:, 2]).mean() > 1.0, "paper is no longer neutral"
    layer = samples_of(colour["pixels"], 4)[..., :3] / 255.0
    assert np.abs(composed[paper] - layer[paper]).max() <= 1 / 255


@pytest.mark.parametrize("scenario", ["sixteen bits", "sixteen bits, ProPhoto RGB"])
def test_sixteen_bits(evidence: Any, scenario: str) -> None:
    """The same bars on the host's raw 16-bit buffers, composed here: no library writes 16-bit PSD."""
    folder = evidence.of(scenario)
    facts = facts_of(folder)
    document = facts["document"]
    assert document["bits"] == 16
    layers = {layer["name"]: layer for layer in document["layers"]}
    colour = colour_layer(document["layers"])
    assert colour is not None
    layer = samples_of(colour["pixels"], 4, np.uint16)[..., :3].reshape(-1, 3) / 32768.0
    base = samples_of(layers["Photograph"]["pixels"], 4, np.uint16)[..., :3].reshape(-1, 3) / 32768.0
    reference = np.frombuffer((folder / "composite.raw").read_bytes(), "<u2").reshape(-1, 4)[:, :3] / 65535.0
    print(assert_colours(photoshop_color(base, layer), base, reference, facts.get("profile", "srgb")))
    for name, doubt in layers.items():
        if name.startswith("Colorize: guesses"):
            grey = samples_of(doubt["pixels"], 4, np.uint16)
            assert (grey[..., 0] == grey[..., 1]).all()
            assert (grey[..., 3] == 32768).all()
            assert grey[..., :3].std() > 0
