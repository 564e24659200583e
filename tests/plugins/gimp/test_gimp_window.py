"""In the real window of GIMP: the dialog, remembered values, one undo step, Cancel, an image closed meanwhile."""

import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from actions import GIRL
from gimp_root import Session
from gimp_window import Window, wait_until
from PIL import Image
from real_daemon import Daemon
from tiny_model import write_tiny_model

pytestmark = pytest.mark.gimp

TITLE = "^Colorize Photograph$"
OTHER_MODELS_SIZE = 17


@pytest.fixture(scope="module")
def window(session: Session, daemon: Daemon) -> Iterator[Window]:
    window = Window(session)
    yield window
    window.close()


def is_done(window: Window, image: int, layers: int) -> bool:
    """Tell whether the image has so many layers and no plug-in works on it any more."""
    return len(layers_of(window, image)) == layers and not window.gimp.plug_in_processes()


def layers_of(window: Window, image: int) -> list[dict]:
    return window.gimp.call("describe", image=image)["layers"]


@pytest.fixture
def image(window: Window, session: Session, photographs: Path) -> Iterator[int]:
    """A photograph in the window, converted to grey."""
    opened = window.gimp.call("open_image", path=session.share(photographs / GIRL), with_display=True)
    window.gimp.call("convert", image=opened["image"], base="GRAY")
    window.main_window()
    yield opened["image"]
    window.gimp.call("close_displays")


def test_the_dialog_colours_the_photograph_in_one_undo_step(window: Window, session: Session, image: int) -> None:
    before = window.gimp.call("describe", image=image)
    assert before["base"] == "gray"
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    time.sleep(2)  # the sizes arrive from the server
    window.key("alt+t", "ctrl+a")
    window.tool("type", "0.5")
    window.key("Tab")
    window.key("alt+o")
    wait_until(lambda: is_done(window, image, 3), "OK made no layer")
    after = window.gimp.call("describe", image=image)
    assert after["base"] == "rgb"
    colour = after["layers"][1]
    assert colour["mode"] == "lch-color"
    assert colour["parasite"]["settings"]["saturation"] == 0.5
    assert not window.find(TITLE)

    # Repeat Colorize takes the values that GIMP remembers, without a dialog; a size of another model is none of them.
    session.remember(size=OTHER_MODELS_SIZE)
    window.key("ctrl+F10")
    wait_until(lambda: is_done(window, image, 4), "Repeat Colorize made no layer")
    again = next(layer for layer in layers_of(window, image) if layer["id"] not in {x["id"] for x in after["layers"]})
    assert again["parasite"]["settings"] == colour["parasite"]["settings"]

    window.main_window()
    window.key("ctrl+z")
    wait_until(lambda: len(layers_of(window, image)) == 3, "Undo did not take the second layer back")
    window.key("ctrl+z")
    wait_until(lambda: len(layers_of(window, image)) == 1, "Undo did not take the first layer back")
    # One step took back layer, conversion to RGB and provenance.
    undone = window.gimp.call("describe", image=image)
    assert undone["base"] == "gray"
    assert undone["parasite"] is None
    assert undone["layers"] == before["layers"]


def test_hints_and_detail_are_chosen_in_the_dialog(
    window: Window, session: Session, image: int, daemon: Daemon
) -> None:
    """The name of a hints layer is typed; the sizes are those that the model was tested at, whatever is remembered."""
    session.remember(size=OTHER_MODELS_SIZE)
    model = daemon.health()["model"]
    width, height = layers_of(window, image)[0]["size"]
    window.gimp.call("convert", image=image, base="RGB")
    strokes = window.gimp.call("add_layer", image=image, name="Strokes", width=width, height=height)
    window.gimp.call("draw_line", layer=strokes, rgb=[200, 30, 30], points=[250, 500, 400, 520], width=9)
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    time.sleep(2)  # the sizes arrive from the server
    window.key("alt+d", *["Down"] * len(model["sizes"]))
    window.key("alt+n", "ctrl+a")
    window.tool("type", "Strokes")
    window.key("Tab", "alt+o")
    wait_until(lambda: is_done(window, image, 4), "OK made no layer")
    colour = next(layer for layer in layers_of(window, image) if "model" in (layer["parasite"] or {}))
    assert colour["parasite"]["settings"]["hints"] == ["Strokes"]
    assert colour["parasite"]["settings"]["size"] == model["sizes"][-1]


def test_a_remembered_hints_layer_of_another_picture_does_no_harm(window: Window, session: Session, image: int) -> None:
    session.remember(**{"hints-layer": '"Strokes"'})
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    time.sleep(1)
    window.key("alt+o")
    wait_until(lambda: is_done(window, image, 3), "OK made no layer")


def test_a_long_name_of_a_layer_does_not_stretch_the_dialog(window: Window, image: int) -> None:
    def width() -> int:
        window.key("ctrl+F9")
        dialog = window.wait_for(TITLE)
        time.sleep(1)
        geometry = window.tool("getwindowgeometry", "--shell", dialog)
        window.key("Escape")
        wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")
        return int(next(line for line in geometry if line.startswith("WIDTH="))[6:])

    before = width()
    window.gimp.call("change", layer=layers_of(window, image)[0]["id"], name="scan of the album " * 12)
    window.main_window()
    assert width() == before


def test_a_wrong_name_is_told_in_the_dialog_which_stays(window: Window, session: Session, image: int) -> None:
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    time.sleep(1)
    window.key("alt+n", "ctrl+a")
    window.tool("type", "Nowhere")
    window.key("Tab", "alt+o")
    time.sleep(2)
    assert window.find(TITLE), "the dialog is gone"
    assert len(layers_of(window, image)) == 1
    window.key("alt+n", "ctrl+a", "Delete", "Tab", "alt+o")
    wait_until(lambda: is_done(window, image, 3), "OK made no layer")


def test_an_image_that_is_closed_while_the_dialog_is_open_is_told(window: Window, image: int) -> None:
    window.key("ctrl+F9")
    dialog = window.wait_for(TITLE)
    time.sleep(1)
    window.gimp.call("close_displays")
    wait_until(lambda: image not in window.gimp.call("open_images"), "the image was never freed")
    window.tool("windowactivate", "--sync", dialog)
    window.key("alt+o")
    message = window.wait_for("GIMP Message")
    assert "Traceback" not in window.gimp.tail()
    window.tool("windowactivate", "--sync", message, "key", "Escape")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")


def test_one_undo_takes_a_whole_run_back(window: Window, session: Session, image: int) -> None:
    """Lifted strokes, the renewed base, the new colour and the hidden earlier one: one step."""
    window.gimp.call("convert", image=image, base="RGB")
    window.main_window()
    window.key("ctrl+F10")
    wait_until(lambda: is_done(window, image, 3), "the first run made no layers")
    first = layers_of(window, image)[1]
    window.gimp.call("brush_line", layer=first["id"], rgb=[30, 60, 200], points=[200, 300, 300, 380], width=30)
    before = window.gimp.call("describe", image=image)
    session.remember(**{"hide-previous": "yes"})
    window.main_window()
    window.key("ctrl+F10")
    wait_until(lambda: is_done(window, image, 4), "the second run made no layer")
    after = layers_of(window, image)
    renewed = next(layer for layer in after if layer["name"] == first["name"])
    assert renewed["id"] != first["id"]
    assert not renewed["visible"]
    session.remember(**{"hide-previous": "no"})
    window.key("ctrl+z")
    wait_until(lambda: len(layers_of(window, image)) == 3, "Undo did not take the run back")
    undone = window.gimp.call("describe", image=image)
    assert undone["layers"] == before["layers"]
    assert undone["parasite"] == before["parasite"]


def test_the_doctor_shows_its_report(window: Window, image: int) -> None:
    window.key("ctrl+F11")
    window.wait_for("^Server Doctor$")
    window.key("Escape")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")


def test_nothing_is_said_to_be_looked_for_while_a_report_is_open(window: Window, image: int) -> None:
    """The foot of the window is as it was before, without “Looking for the colorize server”."""
    window.tool("mousemove", "20", "400")
    time.sleep(1)
    before = np.asarray(window.progress_bar(), int)
    window.key("ctrl+F8")
    window.wait_for("^Colorize Server$")
    time.sleep(1)
    changed = np.abs(np.asarray(window.progress_bar(), int) - before) > 30
    assert changed.mean() < 0.01
    window.key("Escape")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")


@pytest.fixture
def opened_pages(session: Session) -> Iterator[Path]:
    """A web browser that only writes down what it is asked to open."""
    applications = session.folder / ".local" / "share" / "applications"
    applications.mkdir(parents=True)
    pages, program = session.folder / "pages", session.folder / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> {session.inside(pages)}\n')
    program.chmod(0o755)
    kinds = ("text/html", "x-scheme-handler/file", "x-scheme-handler/https")
    (applications / "browser.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nName=Browser\nExec={session.inside(program)} %u\n"
        f"MimeType={';'.join(kinds)};\n"
    )
    lines = ["[Default Applications]", *(f"{kind}=browser.desktop" for kind in kinds), ""]
    (applications / "mimeapps.list").write_text("\n".join(lines))
    yield pages
    shutil.rmtree(applications)


def test_the_help_button_opens_the_plug_ins_own_page(
    window: Window, session: Session, image: int, opened_pages: Path
) -> None:
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    time.sleep(1)
    window.key("alt+h")
    wait_until(opened_pages.exists, "no page was opened")
    address = urllib.parse.urlsplit(opened_pages.read_text().strip())
    assert (address.scheme, address.fragment) == ("file", "photograph")
    page = session.root / address.path.lstrip("/")
    assert page == session.plug_in / "help" / "en" / "index.html"
    assert 'id="photograph"' in page.read_text("utf-8")
    window.wait_for(TITLE)
    window.key("Escape")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")


def test_cancel_in_the_dialog_changes_nothing(window: Window, image: int) -> None:
    before = window.gimp.call("describe", image=image)
    window.key("ctrl+F9")
    window.wait_for(TITLE)
    window.key("Escape")
    wait_until(lambda: not window.find(TITLE), "the dialog stayed")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")
    assert window.gimp.call("describe", image=image) == before


@pytest.fixture
def large(window: Window, session: Session) -> Iterator[int]:
    """A picture that keeps the server busy, in the window."""
    width, height = 6000, 4000
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    file = session.folder / "large.raw"
    file.write_bytes(np.broadcast_to(ramp[:, None], (height, width, 3)).tobytes())
    number = window.gimp.call("new_image", width=width, height=height, with_display=True)
    window.gimp.call(
        "add_layer", image=number, name="large", width=width, height=height,
        pixels=session.inside(file), pixel_format="R'G'B' u8",
    )  # fmt: skip
    window.main_window()
    yield number
    window.gimp.call("close_displays")


def test_the_cancel_button_ends_the_servers_work_within_a_second(window: Window, large: int, daemon: Daemon) -> None:
    before = window.gimp.call("describe", image=large)
    window.key("ctrl+F10")
    wait_until(lambda: daemon.running > 0, "nothing was asked of the server")
    window.click_cancel()
    wait_until(lambda: not window.gimp.plug_in_processes(), "GIMP did not end the plug-in")
    began = time.monotonic()
    wait_until(lambda: daemon.running == 0, "the server went on", timeout_s=5)
    assert time.monotonic() - began <= 1.0
    assert window.gimp.call("describe", image=large) == before


@pytest.mark.parametrize("repetition", range(3))
def test_an_image_that_is_closed_meanwhile_does_no_harm(
    window: Window, large: int, daemon: Daemon, repetition: int
) -> None:
    """GIMP keeps the image alive for its plug-in, or frees it at any moment; either way nobody is bothered.

    What GIMP does with freed memory shows at times only, so it is asked for more than once.
    """
    window.key("ctrl+F10")
    wait_until(lambda: daemon.running > 0, "nothing was asked of the server")
    window.gimp.call("close_displays")
    wait_until(lambda: not window.gimp.plug_in_processes(), "the plug-in stayed")
    wait_until(lambda: large not in window.gimp.call("open_images"), "the image was never freed")
    assert "Traceback" not in window.gimp.tail()


def test_a_layer_that_is_deleted_meanwhile_is_told_once(window: Window, large: int, daemon: Daemon) -> None:
    before = window.gimp.call("describe", image=large)["layers"][0]["id"]
    window.key("ctrl+F10")
    wait_until(lambda: daemon.running > 0, "nothing was asked of the server")
    window.gimp.call("delete_layer", layer=before)
    window.wait_for("GIMP Message")
    assert layers_of(window, large) == []
    window.key("Escape")
    assert "Traceback" not in window.gimp.tail()


@pytest.mark.parametrize("ending", [".gpl", ".aco", ".ase"])
def test_a_palette_of_the_command_line_is_imported(
    window: Window, session: Session, image: int, tmp_path: Path, ending: str
) -> None:
    """With the colours that the command printed, of both places."""
    photograph = tmp_path / "photo.png"
    Image.fromarray(np.tile(np.linspace(20, 230, 90).astype(np.uint8), (60, 1))).save(photograph)
    model = write_tiny_model(tmp_path / "suggests.onnx", suggests=True)
    palette = session.folder / f"colours{ending}"
    argv = [sys.executable, "-P", "-m", "colorize_server.cli.colorize", "palette", photograph, "--model", model]
    printed = subprocess.run(
        [*argv, "--at", "20,20", "--at", "70,30", "-o", palette], check=True, capture_output=True, text=True
    )
    lines = [line.split("  ", 1) for line in printed.stdout.splitlines() if line.startswith("#")]
    assert len(lines) > 7
    found = window.import_palette(palette)
    assert [rgb for _, rgb in found] == [list(bytes.fromhex(colour[1:])) for colour, _ in lines]
    if ending != ".aco":  # GIMP does not read the names of those
        assert [name for name, _ in found] == [name for _, name in lines]
