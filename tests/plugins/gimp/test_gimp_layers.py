"""In a real GIMP: which pixels and which layer a run works on, where its colour goes, and what it leaves alone."""

from pathlib import Path

import numpy as np
import pytest
from actions import Opened, colorize, layer_of
from composites import LEVELS, dump, dump_visible, server_composite, worst
from gimp_root import Gimp, Session
from real_daemon import Daemon

pytestmark = pytest.mark.gimp


def layers_of(gimp: Gimp, image: int) -> list[dict]:
    return gimp.call("describe", image=image)["layers"]


def ids(gimp: Gimp, image: int) -> list[int]:
    return [item["id"] for item in layers_of(gimp, image)]


def size_of(gimp: Gimp, image: int, layer: int) -> list[int]:
    return layer_of(gimp.call("describe", image=image), layer)["size"]


def add_painted(gimp: Gimp, image: int, layer: int, name: str, rgb: tuple[int, int, int] = (90, 90, 90)) -> int:
    """Add a transparent layer with one line on it on top of everything."""
    width, height = size_of(gimp, image, layer)
    new = gimp.call("add_layer", image=image, name=name, width=width, height=height)
    gimp.call("draw_line", layer=new, rgb=rgb, points=[20, 30, width / 2, height / 2], width=9)
    return new


def refuse(gimp: Gimp, image: int, layers: list[int], *words: str, **values: object) -> None:
    before = gimp.call("describe", image=image)
    result = gimp.call("colorize", image=image, drawables=layers, **values)
    assert result["status"] == "execution-error", "it was not refused"
    for word in words:
        assert word in result["error"]
    assert gimp.call("describe", image=image) == before


def chroma_at(gimp: Gimp, session: Session, image: int, size: list[int], y: int, x: int) -> int:
    """Return how coloured a place of the shown image is: largest difference of two channels."""
    pixel = dump_visible(gimp, session, image, size, 3)[y, x].astype(int)
    return int(np.ptp(pixel))


# 1: filters


@pytest.mark.parametrize("scope", ["retouched", "layer", "visible"])
def test_the_photograph_is_read_with_its_filters(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened, scope: str
) -> None:
    """Colors > Levels stays a filter of the layer in GIMP 3."""
    image, layer = small
    size = size_of(gimp, image, layer)
    plain = dump(gimp, session, layer, size, 3)
    gimp.call("add_filter", layer=layer, operation="gegl:brightness-contrast", contrast=1.8, brightness=0.1)
    shown = dump_visible(gimp, session, image, size, 3)
    assert np.abs(shown.astype(int) - plain).mean() > 10, "the filter does nothing"
    colorize(gimp, image, [layer], scope=scope)
    assert worst(dump_visible(gimp, session, image, size, 3), server_composite(daemon, shown)) <= LEVELS
    assert np.array_equal(dump(gimp, session, layer, size, 3), plain), "the photograph itself was changed"


def test_hints_are_read_with_their_filters(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    size = size_of(gimp, image, layer)
    hints = add_painted(gimp, image, layer, "Colour hints", (0, 255, 255))
    gimp.call("add_filter", layer=hints, operation="gegl:invert-gamma")
    gimp.call("set_visible", layer=hints, visible=False)
    colorize(gimp, image, [layer])
    pixel = dump_visible(gimp, session, image, size, 3)[30:34, 20:24].reshape(-1, 3).mean(axis=0)
    assert pixel[0] > pixel[1] + 20, "cyan, which the filter turns into red, was read as cyan"


# 2: identity


def test_results_find_their_photographs_in_a_duplicate_of_the_image(gimp: Gimp, small: Opened) -> None:
    """GIMP renumbers the tattoos of a duplicate."""
    image, layer = small
    size = size_of(gimp, image, layer)
    other = gimp.call("add_layer", image=image, name="deleted", width=size[0], height=size[1], position=1)
    gimp.call("delete_layer", layer=other)
    first = colorize(gimp, image, [layer])
    copy = gimp.call("duplicate_image", image=image)
    try:
        _touch_ups, result, photograph = copy["layers"]
        second = colorize(gimp, copy["image"], [result], **{"hide-previous": True})
        assert ids(gimp, copy["image"])[1:] == [second["id"], result, photograph]
        assert not layer_of(gimp.call("describe", image=copy["image"]), result)["visible"]
        assert second["name"] == "Colour 2"
        assert second["parasite"]["source"] == first["parasite"]["source"]
    finally:
        gimp.call("close", image=copy["image"])


def test_a_copy_of_the_photograph_has_results_of_its_own(gimp: Gimp, small: Opened) -> None:
    """It carries the same id; colour made for the one is none of the other's."""
    image, layer = small
    first = colorize(gimp, image, [layer])
    twin = gimp.call("duplicate_layer", layer=layer, position=0)
    second = colorize(gimp, image, [twin], **{"hide-previous": True})
    assert second["parasite"]["number"] == 1
    assert second["parasite"]["source"] != first["parasite"]["source"]
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]
    assert ids(gimp, image)[1:3] == [second["id"], twin]


# 3: the photograph below


def test_a_retouch_layer_below_the_hints_is_not_taken_for_the_photograph(
    gimp: Gimp, session: Session, small: Opened
) -> None:
    image, layer = small
    scratches = add_painted(gimp, image, layer, "Scratches")
    hints = add_painted(gimp, image, layer, "Colour hints", (200, 30, 30))
    colour = colorize(gimp, image, [hints])
    assert ids(gimp, image) == [hints, ids(gimp, image)[1], colour["id"], scratches, layer]
    # The same where the retouch itself is the selected layer.
    second = colorize(gimp, image, [scratches])
    assert second["parasite"]["source"] == colour["parasite"]["source"]


def test_a_hidden_backup_below_the_hints_is_not_taken_for_the_photograph(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    backup = gimp.call("duplicate_layer", layer=layer, position=0)
    gimp.call("set_visible", layer=backup, visible=False)
    hints = add_painted(gimp, image, layer, "Colour hints", (200, 30, 30))
    colour = colorize(gimp, image, [hints])
    assert ids(gimp, image)[2:] == [backup, colour["id"], layer] or ids(gimp, image)[-2:] == [colour["id"], layer]


def test_two_photographs_below_the_hints_are_asked_about(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    size = size_of(gimp, image, layer)
    twin = gimp.call("duplicate_layer", layer=layer, position=0)
    gimp.call("set_offsets", layer=twin, x=size[0] // 2, y=0)
    hints = add_painted(gimp, image, layer, "Colour hints", (200, 30, 30))
    refuse(gimp, image, [hints], "Several layers may be the photograph", "Click the one that you mean")


# 4: retouch between photograph and colour


@pytest.mark.parametrize("earlier", [True, False])
def test_mended_spots_are_coloured_and_seen_by_the_model(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened, earlier: bool
) -> None:
    image, layer = small
    size = size_of(gimp, image, layer)
    if earlier:
        first = colorize(gimp, image, [layer], saturation=0.0)
        gimp.call("delete_layer", layer=ids(gimp, image)[0])
        retouch = add_painted(gimp, image, layer, "Dust")
        gimp.call("move_to", image=image, layer=retouch, position=1)
        gimp.call("set_visible", layer=first["id"], visible=False)
    else:
        retouch = add_painted(gimp, image, layer, "Dust")
    shown = dump_visible(gimp, session, image, size, 3)
    if earlier:
        gimp.call("set_visible", layer=first["id"], visible=True)
    colour = colorize(gimp, image, [layer])
    order = ids(gimp, image)
    assert order.index(colour["id"]) == 1
    assert order.index(retouch) < order.index(layer)
    assert worst(dump_visible(gimp, session, image, size, 3), server_composite(daemon, shown)) <= LEVELS


def test_colour_goes_above_layers_of_colour_that_say_nothing_of_themselves(gimp: Gimp, small: Opened) -> None:
    """As a PSD or ORA gives them back: mode kept, parasites lost."""
    image, layer = small
    size = size_of(gimp, image, layer)
    old = gimp.call("duplicate_layer", layer=layer, position=0)
    gimp.call("change", layer=old, mode="LCH_COLOR", name="Colour 1")
    assert size
    colour = colorize(gimp, image, [layer])
    assert ids(gimp, image)[1:] == [colour["id"], old, layer]


def test_what_hides_the_colour_is_named(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    gimp.call("change", layer=gimp.call("duplicate_layer", layer=layer, position=0), name="Frame")
    result = gimp.call("colorize", image=image, drawables=[layer])
    assert result["status"] == "success", result["error"]
    assert "“Frame” lies above the new colour and hides it" in result["notes"]


def test_paint_in_colour_above_a_result_stays_above(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    colorize(gimp, image, [layer])
    paint = add_painted(gimp, image, layer, "Lips", (190, 60, 70))
    colour = colorize(gimp, image, [layer])
    order = ids(gimp, image)
    assert order.index(paint) < order.index(colour["id"])


# 5: what the brush paints on afterwards


def test_the_next_brush_stroke_does_not_touch_the_photograph(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    size = size_of(gimp, image, layer)
    before = dump(gimp, session, layer, size, 3)
    colorize(gimp, image, [layer])
    (active,) = gimp.call("describe", image=image)["selected"]
    touch_ups = layer_of(gimp.call("describe", image=image), active)
    assert touch_ups["name"] == "Touch-ups"
    assert (touch_ups["mode"], touch_ups["position"], touch_ups["alpha"]) == ("lch-color", 0, True)
    assert not dump(gimp, session, active, size, 4)[..., 3].any()
    gimp.call("draw_line", layer=active, rgb=[190, 60, 70], points=[30, 40, 90, 90], width=9)
    assert np.array_equal(dump(gimp, session, layer, size, 3), before)
    colorize(gimp, image, [active])
    assert gimp.call("describe", image=image)["selected"] == [active]
    assert [item["name"] for item in layers_of(gimp, image)].count("Touch-ups") == 1


# 6: selection and earlier results


def test_hiding_earlier_results_leaves_what_a_selection_does_not_cover(
    gimp: Gimp, session: Session, small: Opened
) -> None:
    image, layer = small
    first = colorize(gimp, image, [layer])
    gimp.call("select", image=image, x=10, y=10, width=60, height=60)
    second = colorize(gimp, image, [layer], **{"hide-previous": True})
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]
    third = colorize(gimp, image, [layer], **{"hide-previous": True})
    after = gimp.call("describe", image=image)
    assert not layer_of(after, second["id"])["visible"], "confined to the same selection, it is covered"
    assert layer_of(after, first["id"])["visible"]
    assert layer_of(after, third["id"])["visible"]


# 7: nothing to see


def test_a_selection_beside_the_photograph(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    width, _ = size_of(gimp, image, layer)
    gimp.call("set_offsets", layer=layer, x=width // 2, y=0)
    gimp.call("select", image=image, x=0, y=0, width=width // 4, height=20)
    refuse(gimp, image, [layer], "The selection does not touch the layer", "Select > None")


def test_a_photograph_in_a_hidden_group(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    group = gimp.call("add_group", image=image, name="Scans")
    gimp.call("move_into", image=image, layer=layer, group=group)
    gimp.call("set_visible", layer=group, visible=False)
    refuse(gimp, image, [layer], "“Scans” is hidden", "Make it visible")


def test_a_photograph_with_a_black_mask(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    gimp.call("add_mask", layer=layer, hide=[0, 0, *size_of(gimp, image, layer)])
    refuse(gimp, image, [layer], "is all black")


def test_a_photograph_off_the_canvas(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    gimp.call("set_offsets", layer=layer, x=10000, y=0)
    refuse(gimp, image, [layer], "lies outside the canvas")


def test_the_quick_mask_is_called_so(gimp: Gimp, small: Opened) -> None:
    """GIMP gives it as a channel of this name."""
    image, _layer = small
    refuse(gimp, image, [gimp.call("add_channel", image=image, name="Qmask")], "The quick mask is on")
    refuse(gimp, image, [gimp.call("add_channel", image=image, name="Mine")], "A channel is selected")


# 8: hints are what one sees of them


def hinted_chroma(gimp: Gimp, session: Session, small: Opened, opacity: float) -> float:
    """Return how far a green stroke of some opacity moves the picture under it from where no stroke leaves it."""
    image, layer = small
    size = size_of(gimp, image, layer)
    plain = colorize(gimp, image, [layer], **{"hints-layer": ""})
    without = dump(gimp, session, plain["id"], size, 3).astype(int)
    hints = gimp.call("add_layer", image=image, name="Colour hints", width=size[0], height=size[1])
    gimp.call("draw_line", layer=hints, rgb=[0, 160, 60], points=[60, 100, 160, 110], width=40)
    gimp.call("change", layer=hints, opacity=opacity)
    colour = colorize(gimp, image, [layer])
    stroke = dump(gimp, session, hints, size, 4)[..., 3] == 255
    gimp.call("delete_layer", layer=hints)
    return float(np.abs(dump(gimp, session, colour["id"], size, 3).astype(int) - without)[stroke].mean())


def test_a_faint_hint_is_a_weak_one(gimp: Gimp, session: Session, small: Opened) -> None:
    full, erased, trace = (hinted_chroma(gimp, session, small, opacity) for opacity in (100, 40, 0.4))
    assert full > 15
    assert erased < 0.8 * full
    assert erased > 0.2 * full
    assert trace < 0.1 * full


@pytest.mark.parametrize("how", ["mask", "group"])
def test_masked_hints_are_no_hints(gimp: Gimp, small: Opened, how: str) -> None:
    image, layer = small
    hints = add_painted(gimp, image, layer, "Colour hints", (200, 30, 30))
    if how == "mask":
        gimp.call("add_mask", layer=hints, hide=[0, 0, *size_of(gimp, image, layer)])
    else:
        gimp.call("change", layer=hints, opacity=0.0)
    assert colorize(gimp, image, [layer])["parasite"]["settings"]["strokes"] == 0


# 9: names of hints layers, and how many strokes


@pytest.mark.parametrize("name", ["Color hints", "colour hints", "Colour hints copy", "COLOUR HINTS #2"])
def test_hints_layers_are_found_whatever_their_spelling(gimp: Gimp, small: Opened, name: str) -> None:
    image, layer = small
    hints = add_painted(gimp, image, layer, name, (200, 30, 30))
    gimp.call("draw_line", layer=hints, rgb=[30, 30, 200], points=[150, 200, 160, 210], width=5)
    colour = colorize(gimp, image, [layer])
    assert colour["name"] == "Colour 1, 2 hints"
    assert colour["parasite"]["settings"]["hints"] == [name]


def test_strokes_of_two_hints_layers_count_together(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    add_painted(gimp, image, layer, "Colour hints", (200, 30, 30))
    second = gimp.call("add_layer", image=image, name="Colour hints copy", width=300, height=300)
    gimp.call("draw_line", layer=second, rgb=[30, 30, 200], points=[150, 200, 160, 210], width=5)
    assert colorize(gimp, image, [layer])["parasite"]["settings"]["strokes"] == 2


# 10: what is hidden, and what never


CHANGES = {
    "opacity": lambda gimp, image, layer: gimp.call("change", layer=layer, opacity=60.0),
    "mode": lambda gimp, image, layer: gimp.call("change", layer=layer, mode="SOFTLIGHT"),
    "name": lambda gimp, image, layer: gimp.call("change", layer=layer, name="The good one"),
    "mask": lambda gimp, image, layer: gimp.call("add_mask", layer=layer),
    "filter": lambda gimp, image, layer: gimp.call("add_filter", layer=layer, operation="gegl:saturation", scale=0.5),
    "group": lambda gimp, image, layer: gimp.call(
        "move_into", image=image, layer=layer, group=gimp.call("add_group", image=image, name="Mine")
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_result_that_the_artist_changed_is_never_hidden(gimp: Gimp, small: Opened, change: str) -> None:
    image, layer = small
    first = colorize(gimp, image, [layer])
    CHANGES[change](gimp, image, first["id"])
    colorize(gimp, image, [layer], **{"hide-previous": True})
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]


@pytest.mark.parametrize("change", ["16 bits", "scaled", "flipped", "nothing"])
def test_an_untouched_result_is_hidden_whatever_happened_to_the_image(gimp: Gimp, small: Opened, change: str) -> None:
    image, layer = small
    first = colorize(gimp, image, [layer])
    if change == "16 bits":
        gimp.call("convert", image=image, precision="U16_NON_LINEAR")
    if change == "scaled":
        width, height = size_of(gimp, image, layer)
        gimp.call("scale_image", image=image, width=2 * width // 3, height=2 * height // 3)
    if change == "flipped":
        gimp.call("flip_image", image=image)
    colorize(gimp, image, [layer], **{"hide-previous": True})
    assert not layer_of(gimp.call("describe", image=image), first["id"])["visible"]


def test_a_dab_is_seen_even_in_a_scaled_image(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    first = colorize(gimp, image, [layer])
    gimp.call("fill", drawable=first["id"], area=[60, 60, 20, 20], rgb=[9, 200, 9])
    width, height = size_of(gimp, image, layer)
    gimp.call("scale_image", image=image, width=2 * width // 3, height=2 * height // 3)
    colorize(gimp, image, [layer], **{"hide-previous": True})
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]


def test_the_eraser_makes_the_colour_transparent(gimp: Gimp, session: Session, small: Opened, tmp_path: Path) -> None:
    """Without alpha it would paint GIMP's background colour into the layer."""
    image, layer = small
    colour = colorize(gimp, image, [layer])
    assert colour["alpha"]
    size = size_of(gimp, image, layer)
    assert (dump(gimp, session, colour["id"], size, 4)[..., 3] == 255).all()
