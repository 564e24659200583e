"""In a real GIMP: running again, remembered provenance, doubt, the selected layer, all arguments through the PDB."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from actions import PHOTOGRAPHS, Opened, check_layer, colorize, layer_of, open_photograph
from composites import LEVELS, dump, dump_source, dump_visible, server_composite, worst
from gimp_root import Gimp, Session
from real_daemon import Daemon

pytestmark = pytest.mark.gimp

PROCEDURES = [
    "plug-in-colorize-photograph",
    "plug-in-colorize-new-hints",
    "plug-in-colorize-again",
    "plug-in-colorize-doctor",
    "plug-in-colorize-start-server",
    "plug-in-colorize-palette",
]


def test_the_menu_begins_with_the_entry_that_one_wants(gimp: Gimp) -> None:
    """GIMP 3.2 sorts menus by name."""
    entries = gimp.call("menu_entries", procedures=PROCEDURES)
    labels = [entries[name][0].replace("_", "") for name in PROCEDURES]
    assert labels == [
        "Colorize Photograph...", "New Hints Layer", "Repeat Colorize", "Server Doctor", "Start Server",
        "Suggested Colours",
    ]  # fmt: skip
    assert labels == sorted(labels)
    assert all(entries[name][1] == ["<Image>/Filters/Colorize"] for name in PROCEDURES)


def test_all_arguments_through_the_pdb(gimp: Gimp, session: Session, daemon: Daemon, small: Opened) -> None:
    image, layer = small
    model = daemon.health()["model"]
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    source = dump_source(gimp, session, layer, size)
    values = {
        "size": model["sizes"][0],
        "saturation": 0.5,
        "hints-layer": "",
        "scope": "layer",
        "doubt": True,
        "hide-previous": True,
        "server": f"http://127.0.0.1:{daemon.state['port']}",
    }
    colour = colorize(gimp, image, [layer], **values)
    assert colour["parasite"]["settings"] == {
        "size": model["sizes"][0], "saturation": 0.5, "hints": [], "strokes": 0, "scope": "layer",
    }  # fmt: skip
    expected = server_composite(daemon, source, size=model["sizes"][0], saturation=0.5)
    assert worst(dump_visible(gimp, session, image, size, 3), expected) <= LEVELS


def test_the_layer_tells_what_made_it(gimp: Gimp, session: Session, daemon: Daemon, small: Opened) -> None:
    """In its name, and as a parasite that survives saving."""
    image, layer = small
    colour = colorize(gimp, image, [layer], saturation=1.25)
    model = daemon.health()["model"]
    name = f"{model['name']} {model['version']}"
    assert colour["name"] == "Colour 1, saturation 125 %"
    record = colour["parasite"]
    assert record["kind"] == "colour"
    assert record["note"] == "inferred colour"
    assert record["model"] == name
    assert record["model_sha256"] == model["sha256"]
    assert record["backend"] == daemon.health()["backend"]["active"]
    assert record["settings"]["saturation"] == 1.25
    assert datetime.fromisoformat(record["date"]).utcoffset() is not None
    before = gimp.call("describe", image=image)
    assert [entry["model_sha256"] for entry in before["parasite"]] == [model["sha256"]]
    gimp.call("save", image=image, path=session.inside(session.folder / "kept.xcf"))
    reopened = gimp.call("open_image", path=session.inside(session.folder / "kept.xcf"))["image"]
    after = gimp.call("describe", image=reopened)
    assert after["parasite"] == before["parasite"]
    assert after["layers"][1]["parasite"] == record
    gimp.call("close", image=reopened)


def test_running_again_adds_a_layer_that_shows_and_replaces_nothing(gimp: Gimp, small: Opened) -> None:
    """Colour under an earlier result would not show: the uppermost layer in LCh Color mode decides every hue."""
    image, layer = small
    first = colorize(gimp, image, [layer], doubt=True)
    touch_ups, doubt = (item["id"] for item in gimp.call("describe", image=image)["layers"][:2])
    other = gimp.call("add_layer", image=image, name="the artist's", width=20, height=20)
    second = colorize(gimp, image, [layer], saturation=0.8)
    description = gimp.call("describe", image=image)
    # The hidden doubt counts too; touch-ups, and what the artist put above, stay above.
    assert [item["id"] for item in description["layers"]] == [
        other, touch_ups, second["id"], doubt, first["id"], layer,
    ]  # fmt: skip
    assert layer_of(description, first["id"])["visible"]
    assert len(description["parasite"]) == 3
    assert description["selected"] == [touch_ups]


def test_the_result_as_selected_layer_means_its_photograph(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    first = colorize(gimp, image, [layer])
    second = colorize(gimp, image, [first["id"]])
    assert second["parasite"]["source"] == first["parasite"]["source"]
    check_layer(second, layer_of(gimp.call("describe", image=image), layer), earlier=1)


def test_an_untouched_result_is_hidden_when_asked_even_after_saving(
    gimp: Gimp, session: Session, small: Opened
) -> None:
    image, layer = small
    colorize(gimp, image, [layer], doubt=True)
    gimp.call("save", image=image, path=session.inside(session.folder / "run.xcf"))
    reopened = gimp.call("open_image", path=session.inside(session.folder / "run.xcf"))
    photograph = reopened["layers"][-1]
    second = colorize(gimp, reopened["image"], [photograph], **{"hide-previous": True})
    for item in gimp.call("describe", image=reopened["image"])["layers"]:
        shows = item["id"] in (second["id"], photograph) or item["name"] == "Touch-ups"
        assert item["visible"] == shows, item["name"]
    gimp.call("close", image=reopened["image"])


@pytest.mark.parametrize("where", ["layer", "mask"])
def test_a_result_that_the_artist_painted_on_is_never_hidden(gimp: Gimp, small: Opened, where: str) -> None:
    image, layer = small
    if where == "mask":
        gimp.call("select", image=image, x=50, y=50, width=100, height=100)
    first = colorize(gimp, image, [layer])
    gimp.call("fill", drawable=first["id"] if where == "layer" else first["mask"], area=[60, 60, 3, 3], rgb=[9, 9, 9])
    colorize(gimp, image, [layer], **{"hide-previous": True})
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]


def test_the_result_of_another_layer_is_not_hidden(
    gimp: Gimp, session: Session, small: Opened, photographs: Path
) -> None:
    image, layer = small
    (session.folder / "other.raw").write_bytes(bytes(range(256)) * (3 * 64))
    other = gimp.call(
        "add_layer", image=image, name="other", width=256, height=64,
        pixels=session.inside(session.folder / "other.raw"), pixel_format="R'G'B' u8",
    )  # fmt: skip
    first = colorize(gimp, image, [layer])
    colorize(gimp, image, [other], **{"hide-previous": True})
    assert layer_of(gimp.call("describe", image=image), first["id"])["visible"]


def test_colorize_again_repeats_without_a_dialog(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    result = gimp.call("colorize", image=image, drawables=[layer], procedure="plug-in-colorize-again")
    assert result["status"] == "success", result["error"]
    colour = gimp.call("describe", image=image)["layers"][1]
    check_layer(colour, layer_of(gimp.call("describe", image=image), layer))


def test_colorize_again_fails_in_the_same_words(gimp: Gimp, small: Opened) -> None:
    image, layer = small
    mask = gimp.call("add_mask", layer=layer)
    result = gimp.call("colorize", image=image, drawables=[mask], procedure="plug-in-colorize-again")
    assert result["status"] == "execution-error"
    assert result["error"].startswith("The layer's mask is selected")


def test_doubt_is_a_hidden_overlay_above_the_colour(
    gimp: Gimp, session: Session, daemon: Daemon, small: Opened
) -> None:
    """As strong as the server's doubt, and one can see the photograph through it everywhere."""
    image, layer = small
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    source = dump_source(gimp, session, layer, size)
    colour = colorize(gimp, image, [layer], doubt=True)
    doubt = gimp.call("describe", image=image)["layers"][1]
    assert not doubt["visible"]
    assert doubt["parasite"]["kind"] == "doubt"
    assert doubt["mode"] == "normal"
    assert re.match(r"Where colour 1 is guessed", doubt["name"])
    assert doubt["position"] == colour["position"] - 1
    answer = daemon.ask(f"width={size[0]}&height={size[1]}&channels=3&host=gimp&include=doubt", source.tobytes())
    expected = np.frombuffer(answer, np.uint8)[-size[0] * size[1] :].reshape(size[1], size[0])
    assert expected.max() > 0
    alpha = dump(gimp, session, doubt["id"], size, 4)[..., 3]
    assert alpha.max() <= 0.75 * 255 + 1
    assert np.abs(alpha - 0.75 * expected).max() <= 1


def test_hints_just_painted_mean_the_photograph_below_them(gimp: Gimp, small: Opened) -> None:
    """After painting, the hints layer is the selected one."""
    image, layer = small
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    hints = gimp.call("add_layer", image=image, name="Colour hints", width=size[0], height=size[1])
    gimp.call("draw_line", layer=hints, rgb=[200, 30, 30], points=[80, 100, 150, 160], width=9)
    colour = colorize(gimp, image, [hints])
    check_layer(colour, layer_of(gimp.call("describe", image=image), layer))
    assert colour["parasite"]["settings"]["hints"] == ["Colour hints"]
    assert colour["name"] == "Colour 1, 1 hint"


@pytest.mark.parametrize("name", PHOTOGRAPHS[:2])
def test_a_picture_without_strokes_is_coloured_without_hints(
    gimp: Gimp, session: Session, photographs: Path, name: str
) -> None:
    """An empty hints layer is no hint."""
    image, layer = open_photograph(gimp, session, photographs / name)
    gimp.call("add_layer", image=image, name="Colour hints", width=50, height=50)
    colour = colorize(gimp, image, [layer])
    assert colour["parasite"]["settings"]["hints"] == []
    gimp.call("close", image=image)
