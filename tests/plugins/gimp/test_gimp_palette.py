"""In a real GIMP: suggested colours as a palette, from a server that suggests some, and from one that does not."""

from collections.abc import Callable

import faults
import pytest
from actions import Opened
from gimp_root import Gimp, Session
from real_daemon import Daemon

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


def test_a_model_that_suggests_nothing_is_told(gimp: Gimp, small: Opened, daemon: Daemon) -> None:
    image, layer = small
    if daemon.health().get("suggestions"):
        pytest.skip("the shipped model suggests colours")
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
