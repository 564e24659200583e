"""In a real GIMP, with the real server and model: every kind of picture, and what the new layer looks like."""

from pathlib import Path

import numpy as np
import pytest
from actions import PHOTOGRAPHS, Opened, check_layer, colorize, layer_of, open_photograph
from colorize_server.color.cie import lab_from_relative_xyz
from colorize_server.color.rgb import SRGB
from composites import LEVELS, dump, dump_source, dump_visible, server_composite, worst
from gimp_root import Gimp, Session
from PIL import Image
from real_daemon import Daemon

pytestmark = pytest.mark.gimp


def lightness_d50(levels: np.ndarray) -> np.ndarray:
    """Return L* relative to D50 of grey or RGB levels of 255."""
    rgb = np.broadcast_to(levels / 255, (*levels.shape[:2], 3))
    return lab_from_relative_xyz(SRGB.linear_from_encoded(rgb) @ SRGB.to_relative_xyz_d50.T)[..., 0]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_coloured_as_the_server_would(
    gimp: Gimp, session: Session, daemon: Daemon, photographs: Path, name: str
) -> None:
    """Saved as XCF and PNG, and compared with the server's own composite."""
    image, layer = open_photograph(gimp, session, photographs / name)
    before = gimp.call("describe", image=image)
    size = before["layers"][0]["size"]
    photograph = dump_source(gimp, session, layer, size)
    colour = colorize(gimp, image, [layer])
    after = gimp.call("describe", image=image)
    check_layer(colour, layer_of(after, layer))
    assert len(after["layers"]) == 3
    assert after["base"] == "rgb"
    assert after["selected"] == [after["layers"][0]["id"]]
    assert (dump(gimp, session, layer, size, 3) == photograph).all()

    expected = server_composite(daemon, photograph)
    assert np.ptp(expected, axis=-1).mean() > 2, "the composite has no colour"
    for file in ("out.png", "out.xcf"):
        gimp.call("save", image=image, path=session.inside(session.folder / file))
    gimp.call("close", image=image)
    saved = np.asarray(Image.open(session.folder / "out.png").convert("RGB"))
    assert worst(saved, expected) <= LEVELS
    # The grey values stay: lightness as LCh Color knows it, up to the rounding of 8 bits.
    assert worst(lightness_d50(saved), lightness_d50(photograph)) <= 0.6
    reopened = gimp.call("open_image", path=session.inside(session.folder / "out.xcf"))["image"]
    assert worst(dump_visible(gimp, session, reopened, size, 3), expected) <= LEVELS
    gimp.call("close", image=reopened)


@pytest.mark.parametrize(
    ("base", "precision"),
    [
        ("RGB", "U8_LINEAR"),
        ("RGB", "U16_NON_LINEAR"),
        ("RGB", "U16_LINEAR"),
        ("RGB", "U32_LINEAR"),
        ("RGB", "HALF_NON_LINEAR"),
        ("RGB", "FLOAT_LINEAR"),
        ("RGB", "FLOAT_NON_LINEAR"),
        ("RGB", "DOUBLE_LINEAR"),
        ("GRAY", "U8_NON_LINEAR"),
        ("GRAY", "U16_NON_LINEAR"),
        ("GRAY", "FLOAT_LINEAR"),
        ("INDEXED", None),
    ],
)
def test_every_base_type_and_precision(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened, base: str, precision: str | None
) -> None:
    """The image keeps its precision; grey and indexed images become RGB."""
    image, layer = small
    gimp.call("convert", image=image, base=base, precision=precision)
    before = gimp.call("describe", image=image)
    assert before["base"] == base.lower()
    size = layer_of(before, layer)["size"]
    depth = 8 if before["precision"] == "u8-non-linear" else 16
    source = dump_source(gimp, session, layer, size, depth)
    colour = colorize(gimp, image, [layer])
    after = gimp.call("describe", image=image)
    assert after["base"] == "rgb"
    assert after["precision"] == before["precision"]
    check_layer(colour, layer_of(after, layer))
    shown = dump_visible(gimp, session, image, size, 3, depth) * (255 / (2**depth - 1))
    expected = server_composite(daemon, source, depth)
    if precision == "U8_LINEAR":
        # In such an image a level is one of linear light, and GIMP can hold nothing between two of them.
        shown, expected = (255 * SRGB.linear_from_encoded(values / 255) for values in (shown, expected))
    assert worst(shown, expected) <= LEVELS
    if "u8" not in before["precision"] and base != "INDEXED":
        # The layer holds more than 8 bits: it has more values than 256 levels could have.
        assert len(np.unique(dump(gimp, session, colour["id"], size, 3, 16)[..., 0])) > 256


@pytest.mark.parametrize(
    ("base", "profile"),
    [
        ("RGB", "new_rgb_adobe"),
        ("RGB", "new_rgb_srgb_linear"),
        ("GRAY", "new_d50_gray_lab_trc"),
        ("GRAY", "new_d65_gray_linear"),
    ],
)
def test_other_profiles_than_srgb(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened, base: str, profile: str
) -> None:
    image, layer = small
    gimp.call("convert", image=image, base=base, precision="U16_NON_LINEAR", profile=profile)
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    grey = dump(gimp, session, layer, size, 1, 16)
    colorize(gimp, image, [layer])
    shown = dump_visible(gimp, session, image, size, 3, 16) / 257
    assert worst(shown, server_composite(daemon, grey, 16)) <= LEVELS


def test_an_8_bit_image_in_adobe_rgb(gimp: Gimp, session: Session, daemon: Daemon, small: Opened) -> None:
    """8 bits of Adobe RGB do not fit into 8 bits of sRGB: 16 travel."""
    image, layer = small
    gimp.call("convert", image=image, profile="new_rgb_adobe")
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    expected = server_composite(daemon, dump(gimp, session, layer, size, 1, 16), 16)
    colorize(gimp, image, [layer])
    assert gimp.call("describe", image=image)["precision"] == "u8-non-linear"
    assert worst(dump_visible(gimp, session, image, size, 3), expected) <= LEVELS


def test_transparent_pixels_stay_transparent(gimp: Gimp, session: Session, daemon: Daemon, girl: Opened) -> None:
    image, layer = girl
    gimp.call("add_alpha", layer=layer, clear=[100, 100, 200, 150])
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    source = dump_source(gimp, session, layer, size, has_alpha=True)
    colour = colorize(gimp, image, [layer])
    assert colour["alpha"]
    pixels = dump(gimp, session, colour["id"], size, 4)
    assert (pixels[..., 3] == source[..., 3]).all()
    assert not pixels[100:250, 100:300, 3].any()
    opaque = source[..., 3] == 255
    shown = dump_visible(gimp, session, image, size, 3)
    assert worst(shown[opaque], server_composite(daemon, source)[opaque]) <= LEVELS


@pytest.mark.parametrize(("x", "y"), [(60, 80), (-50, -40)])
def test_a_layer_with_an_offset(
    gimp: Gimp, session: Session, daemon: Daemon, girl: Opened, photographs: Path, x: int, y: int
) -> None:
    """The layer above lies where its source lies, and what is beside it keeps its grey."""
    image, layer = girl
    gimp.call("set_offsets", layer=layer, x=x, y=y)
    before = gimp.call("describe", image=image)
    width, height = before["layers"][0]["size"]
    source = dump_source(gimp, session, layer, [width, height])
    colour = colorize(gimp, image, [layer])
    check_layer(colour, layer_of(gimp.call("describe", image=image), layer))
    assert colour["offsets"] == [x, y]
    shown = dump_visible(gimp, session, image, [width, height], 3)
    expected = server_composite(daemon, source)
    left, top, right, bottom = max(x, 0), max(y, 0), min(width, width + x), min(height, height + y)
    part = expected[top - y : bottom - y, left - x : right - x]
    assert worst(shown[top:bottom, left:right], part) <= LEVELS


@pytest.mark.parametrize("mode", ["NORMAL", "PASS_THROUGH"])
def test_a_layer_in_a_group(gimp: Gimp, session: Session, daemon: Daemon, girl: Opened, mode: str) -> None:
    """The colour goes into the same group, and nothing outside it changes."""
    image, layer = girl
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    source = dump_source(gimp, session, layer, size)
    group = gimp.call("add_group", image=image, name="Scans", mode=mode)
    gimp.call("move_into", image=image, layer=layer, group=group)
    colour = colorize(gimp, image, [layer])
    assert colour["parent"] == group
    check_layer(colour, layer_of(gimp.call("describe", image=image), layer))
    assert worst(dump_visible(gimp, session, image, size, 3), server_composite(daemon, source)) <= LEVELS


def test_a_group_as_a_whole(gimp: Gimp, session: Session, daemon: Daemon, girl: Opened) -> None:
    image, layer = girl
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    group = gimp.call("add_group", image=image, name="Scans")
    gimp.call("move_into", image=image, layer=layer, group=group)
    source = dump_source(gimp, session, group, size, has_alpha=True)
    colour = colorize(gimp, image, [group])
    check_layer(colour, layer_of(gimp.call("describe", image=image), group))
    assert worst(dump_visible(gimp, session, image, size, 3), server_composite(daemon, source)) <= LEVELS


def test_hints_and_results_in_a_group_are_no_part_of_its_photograph(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened
) -> None:
    """Not even where the artist locked their visibility, which GIMP then leaves as it is without a word."""
    image, layer = small
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    group = gimp.call("add_group", image=image, name="Scans")
    gimp.call("move_into", image=image, layer=layer, group=group)
    photograph = dump_source(gimp, session, group, size, has_alpha=True)
    colorize(gimp, image, [layer], doubt=True)
    doubt = next(item for item in gimp.call("describe", image=image)["layers"] if "guessed" in item["name"])
    assert doubt["parasite"]["kind"] == "doubt"
    gimp.call("set_visible", layer=doubt["id"], visible=True)
    gimp.call("lock", layer=doubt["id"], visibility=True)
    hints = gimp.call("add_layer", image=image, name="Colour hints", width=size[0], height=size[1], group=group)
    gimp.call("draw_line", layer=hints, rgb=[200, 30, 30], points=[80, 100, 150, 160], width=40)
    body = photograph.tobytes() + dump(gimp, session, hints, size, 4).tobytes()
    colour = colorize(gimp, image, [group])
    answer = daemon.ask(f"width={size[0]}&height={size[1]}&channels=4&host=gimp&hints=rgba8", body)
    expected = np.frombuffer(answer, np.uint8).reshape(size[1], size[0], 4)
    assert worst(dump(gimp, session, colour["id"], size, 4), expected) <= 1


def test_a_text_layer_stays_text(gimp: Gimp, girl: Opened) -> None:
    image, _ = girl
    text = gimp.call("add_text_layer", image=image, text="1870", size=120)
    colour = colorize(gimp, image, [text])
    source = layer_of(gimp.call("describe", image=image), text)
    assert source["kind"] == "TextLayer"
    check_layer(colour, source)


def test_the_layer_below_is_not_coloured_through_a_masked_source(gimp: Gimp, session: Session, girl: Opened) -> None:
    """What the source's mask hides shows the layer below, whose grey must stay; the source itself may be locked."""
    image, layer = girl
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    (session.folder / "grey.raw").write_bytes(bytes([90, 90, 90]) * (size[0] * size[1]))
    gimp.call(
        "add_layer", image=image, name="below", width=size[0], height=size[1], position=1,
        pixels=session.inside(session.folder / "grey.raw"), pixel_format="R'G'B' u8",
    )  # fmt: skip
    gimp.call("add_mask", layer=layer, hide=[0, 0, 300, 300])
    gimp.call("lock", layer=layer, content=True, position=True)
    gimp.call("select", image=image, x=200, y=200, width=300, height=300)
    colour = colorize(gimp, image, [layer])
    mask = dump(gimp, session, colour["mask"], size, 1)[..., 0]
    assert mask[400, 400] == 255  # selected and shown
    assert mask[250, 250] == 0  # selected, hidden by the source's mask
    assert mask[100, 400] == 0  # shown, not selected
    shown = dump_visible(gimp, session, image, size, 3)
    assert (shown[:300, :300] == 90).all()


@pytest.mark.parametrize("offset", [0, 35])
def test_a_selection_becomes_a_layer_mask(gimp: Gimp, session: Session, girl: Opened, offset: int) -> None:
    """The selection stays, the mask is where it is in the image, and the brush goes to the layer."""
    image, layer = girl
    gimp.call("set_offsets", layer=layer, x=offset, y=offset)
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    gimp.call("select", image=image, x=100, y=150, width=200, height=100)
    colour = colorize(gimp, image, [layer])
    mask = dump(gimp, session, colour["mask"], size, 1)[..., 0]
    expected = np.zeros_like(mask)
    expected[150 - offset : 250 - offset, 100 - offset : 300 - offset] = 255
    assert (mask == expected).all()
    assert not colour["edits_mask"]
    assert not gimp.call("describe", image=image)["selection_empty"]


def test_the_visible_image_without_hints_and_earlier_colour(
    gimp: Gimp, session: Session, daemon: Daemon, girl: Opened
) -> None:
    """A retouched photograph: what all layers show together is colorized, on top of everything."""
    image, layer = girl
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    patch = session.folder / "patch.raw"
    patch.write_bytes(bytes([200, 200, 200]) * (80 * 60))
    gimp.call(
        "add_layer", image=image, name="retouch", width=80, height=60, x=50, y=40,
        pixels=session.inside(patch), pixel_format="R'G'B' u8",
    )  # fmt: skip
    photograph = dump_visible(gimp, session, image, size, 4)
    expected = server_composite(daemon, photograph)
    hints = gimp.call("add_layer", image=image, name="other", width=size[0], height=size[1])
    gimp.call("draw_line", layer=hints, rgb=[255, 0, 0], points=[10, 10, 600, 800], width=30)
    first = colorize(gimp, image, [layer], scope="visible", **{"hints-layer": ""})
    assert first["position"] == 1
    gimp.call("set_visible", layer=hints, visible=False)
    assert worst(dump_visible(gimp, session, image, size, 3), expected) > LEVELS, "the stroke should have been seen"
    gimp.call("set_visible", layer=hints, visible=True)
    # Named as hints, the same stroke is no part of the photograph, and neither is the colour of the first run.
    body = photograph.tobytes() + dump(gimp, session, hints, size, 4).tobytes()
    second = colorize(gimp, image, [layer], scope="visible", **{"hints-layer": "other"})
    assert second["id"] != first["id"]
    assert second["parasite"]["source"] == ""
    answer = daemon.ask(f"width={size[0]}&height={size[1]}&channels=4&host=gimp&hints=rgba8", body)
    layer_of_server = np.frombuffer(answer, np.uint8).reshape(size[1], size[0], 4)
    assert worst(dump(gimp, session, second["id"], size, 4), layer_of_server) <= 1


@pytest.mark.parametrize("base", ["GRAY", "INDEXED"])
def test_the_visible_image_in_grey_and_indexed_images(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened, base: str
) -> None:
    image, layer = small
    gimp.call("convert", image=image, base=base)
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    expected = server_composite(daemon, dump_visible(gimp, session, image, size, 2))
    colour = colorize(gimp, image, [layer], scope="visible")
    assert colour["size"] == size
    assert worst(dump_visible(gimp, session, image, size, 3), expected) <= LEVELS
