"""In a real GIMP: strokes of colour drawn with GIMP's own pencil, and what the picture shows under them."""

from pathlib import Path

import numpy as np
import pytest
from actions import PHOTOGRAPHS, Opened, colorize, open_photograph
from colorize_server.color.difference import ciede2000
from colorize_server.color.gamut import chroma_in_gamut
from colorize_server.color.rgb import SRGB
from composites import LEVELS, dump, dump_source, dump_visible, server_composite, worst
from gimp_root import Gimp, Session
from real_daemon import Daemon

pytestmark = pytest.mark.gimp

STROKES = {0.3: (220, 20, 30), 0.5: (0, 150, 130), 0.7: (30, 60, 230)}
"""Height of a stroke as a share of the picture's -> a colour that no model would choose there."""
STROKE_PX = 3
MAX_DIFFERENCE = 6.0


def draw_hints(gimp: Gimp, image: int, size: list[int], width_px: float = STROKE_PX) -> int:
    """Draw the strokes on a layer of the default name."""
    width, height = size
    hints = gimp.call("add_layer", image=image, name="Colour hints", width=width, height=height)
    for share, colour in STROKES.items():
        points = [0.3 * width, share * height, 0.7 * width, share * height + 6]
        gimp.call("draw_line", layer=hints, rgb=colour, points=points, width=width_px)
    return hints


@pytest.mark.parametrize("name", PHOTOGRAPHS[1:])
def test_the_picture_under_a_thin_stroke_has_the_strokes_colour(
    gimp: Gimp, session: Session, daemon: Daemon, photographs: Path, name: str
) -> None:
    """Gamut-mapped at the photograph's lightness; and the composite is the server's."""
    image, layer = open_photograph(gimp, session, photographs / name)
    if gimp.call("describe", image=image)["base"] == "gray":
        gimp.call("convert", image=image, base="RGB")  # nobody can paint colours before
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    source = dump_source(gimp, session, layer, size)
    layer_of_hints = draw_hints(gimp, image, size)
    hints = dump(gimp, session, layer_of_hints, size, 4)
    gimp.call("set_visible", layer=layer_of_hints, visible=False)
    colorize(gimp, image, [layer])
    shown = dump_visible(gimp, session, image, size, 3)
    gimp.call("close", image=image)
    assert worst(shown, server_composite(daemon, source, hints=hints)) <= LEVELS
    by_itself = SRGB.lab_from_encoded(server_composite(daemon, source) / 255)
    photograph = SRGB.lab_from_encoded(source / 255)
    result = SRGB.lab_from_encoded(shown / 255)
    for colour in STROKES.values():
        stroke = (hints == (*colour, 255)).all(axis=-1)
        assert 100 < stroke.sum() < 8 * STROKE_PX * size[0]
        lightness = photograph[stroke][:, 0].astype(np.float32)
        _, a, b = (np.full_like(lightness, value) for value in SRGB.lab_from_encoded(np.array(colour) / 255))
        wanted = chroma_in_gamut(lightness, a, b, np.linalg.inv(SRGB.to_relative_xyz))[:2]
        differences = [
            ciede2000(np.column_stack([lightness, *wanted]), np.column_stack([lightness, lab[stroke][:, 1:]]))
            for lab in (result, by_itself)
        ]
        assert differences[0].max() <= MAX_DIFFERENCE
        assert differences[1].mean() > MAX_DIFFERENCE, "the model would have chosen this colour"


@pytest.mark.parametrize(("precision", "depth", "levels"), [("U16_NON_LINEAR", 16, 0.1), ("U8_NON_LINEAR", 8, LEVELS)])
def test_broad_strokes_of_saturated_colours_are_the_servers(
    gimp: Gimp, session: Session, daemon: Daemon, girl: Opened, precision: str, depth: int, levels: float
) -> None:
    """A quarter of the picture in red, green and blue; in 8 bits only the layer's rounding is left.

    The photograph is toned.  Were its luminance sent as bytes, GIMP would show the colours, at the edge of the gamut,
    at another lightness than they were made for: 3 levels.
    """
    image, layer = girl
    gimp.call("convert", image=image, precision=precision)
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    photograph = dump_source(gimp, session, layer, size, depth)
    layer_of_hints = draw_hints(gimp, image, size, width_px=150)
    hints = dump(gimp, session, layer_of_hints, size, 4)
    assert (hints[..., 3] == 255).mean() > 0.2
    gimp.call("set_visible", layer=layer_of_hints, visible=False)
    colorize(gimp, image, [layer])
    shown = dump_visible(gimp, session, image, size, 3, depth) * (255 / (2**depth - 1))
    assert worst(shown, server_composite(daemon, photograph, depth, hints=hints)) <= levels
