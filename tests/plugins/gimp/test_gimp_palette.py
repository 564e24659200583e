"""In a real GIMP: suggested colours as a palette, from a server that suggests some, and from one that does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import faults
import numpy as np
import pytest
from actions import Opened
from colorize_server.color.cie import lightness_from_y
from colorize_server.color.rgb import SRGB
from gimp_root import Gimp, Session
from real_daemon import Daemon
from tiny_model import SUGGESTED_SHARE, write_tiny_model

pytestmark = pytest.mark.gimp

NAME = "Colours for this photograph"
Faulty = Callable[[Callable[[faults.Exchange], None]], int]


def ask(gimp: Gimp, image: int, layer: int) -> dict:
    return gimp.call("call_for_text", image=image, drawables=[layer], procedure="plug-in-colorize-palette")


def test_colours_of_the_selected_place_become_a_palette(gimp: Gimp, small: Opened, faulty: Faulty) -> None:
    """In the photograph's own pixels, whatever its offset; the next time it is the same palette with other colours."""
    image, layer = small
    faulty(faults.suggests)
    gimp.call("set_offsets", layer=layer, x=-20, y=10)
    gimp.call("select", image=image, x=60, y=70, width=5, height=7)
    result = ask(gimp, image, layer)
    assert (result["status"], result["text"]) == ("success", NAME), result["error"]
    assert gimp.call("palette", name=NAME) == [["used here", [10, 200, 30]], ["41 %", [62 + 20, 0, 73 - 10]]]
    gimp.call("select_none", image=image)
    gimp.call("add_sample_point", image=image, x=30, y=40)
    gimp.call("add_sample_point", image=image, x=50, y=60)
    assert ask(gimp, image, layer)["text"] == NAME
    assert gimp.call("palette", name=NAME) == [
        ["used here", [10, 200, 30]],
        ["41 %", [50, 0, 30]],
        ["41 %", [70, 0, 50]],
    ]


@pytest.fixture
def suggesting(session: Session, daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """The real server with a small model that suggests colours."""
    yield from _served(session, write_tiny_model(tmp_path / "suggests.onnx", suggests=True))


@pytest.fixture
def old(session: Session, daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """The real server with a model of version 1 of the contract."""
    yield from _served(session, write_tiny_model(tmp_path / "old.onnx"))


def _served(session: Session, model: Path) -> Iterator[Daemon]:
    real = Daemon(session.folder / model.stem, model)
    session.use_state(real.state_file)
    yield real
    real.close()


def test_the_real_server_suggests_colours_for_the_selected_place(
    gimp: Gimp, session: Session, small: Opened, suggesting: Daemon
) -> None:
    """At the photograph's lightness, the likeliest first; with the colour of a stroke before all others."""
    image, layer = small
    x, y = 30, 30
    gimp.call("select", image=image, x=x, y=y, width=5, height=5)
    result = ask(gimp, image, layer)
    assert (result["status"], result["text"]) == ("success", NAME), result["error"]
    first = gimp.call("palette", name=NAME)
    assert 3 <= len(first) <= 7
    shares = [int(label.split()[0]) for label, _ in first]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] >= round(100 * SUGGESTED_SHARE)
    width, height = gimp.call("describe", image=image)["layers"][0]["size"]
    gimp.call("dump", drawable=layer, path=session.inside(session.folder / "grey"), pixel_format="Y u8")
    grey = np.fromfile(session.folder / "grey", np.uint8).reshape(height, width)
    around = lightness_of(grey[y - 8 : y + 8, x - 8 : x + 8].mean() / 255)
    for _, rgb in first:
        assert abs(SRGB.lab_from_encoded(np.array(rgb) / 255)[0] - around) < 6

    strokes = gimp.call("add_layer", image=image, name="Colour hints", width=width, height=height)
    gimp.call("select_none", image=image)
    gimp.call("draw_line", layer=strokes, rgb=[40, 60, 200], points=[10, 10, 40, 10], width=9)
    gimp.call("select", image=image, x=x, y=y, width=5, height=5)
    assert ask(gimp, image, layer)["text"] == NAME
    second = gimp.call("palette", name=NAME)
    assert second[0][0] == "used here"
    red, green, blue = second[0][1]
    assert blue > max(red, green)
    assert [label for label, _ in second].count("used here") == 1


def lightness_of(luminance: float) -> float:
    return float(lightness_from_y(np.array([luminance]))[0])


def test_a_model_that_suggests_nothing_is_told(gimp: Gimp, small: Opened, old: Daemon) -> None:
    image, layer = small
    gimp.call("select", image=image, x=60, y=70, width=5, height=7)
    result = ask(gimp, image, layer)
    assert result["status"] == "execution-error"
    assert "suggests no colours" in result["error"]


def test_without_a_place_nothing_is_asked(gimp: Gimp, small: Opened, faulty: Faulty) -> None:
    image, layer = small
    faulty(faults.suggests)
    result = ask(gimp, image, layer)
    assert result["status"] == "execution-error"
    assert "No place is picked" in result["error"]


def test_an_answer_of_another_kind_is_told(gimp: Gimp, session: Session, small: Opened, faulty: Faulty) -> None:
    image, layer = small
    faulty(faults.suggests_nonsense)
    gimp.call("select", image=image, x=60, y=70, width=5, height=7)
    result = ask(gimp, image, layer)
    assert result["status"] == "execution-error"
    assert "suggestions cannot be read" in result["error"]
