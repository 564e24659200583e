"""In a real GIMP: what is refused, what goes wrong, and that the image is as it was before."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faults
import numpy as np
import psutil
import pytest
from actions import Opened, colorize
from composites import dump_visible
from gimp_root import Gimp, Session
from real_daemon import Daemon

pytestmark = pytest.mark.gimp

LARGE = (6000, 4000)
"""A picture that keeps the server busy for a second or more."""


def check_refused(
    gimp: Gimp, session: Session, image: int, drawables: list[int], *words: str, **values: object
) -> None:
    """The call fails with these words, and nothing in the image has changed."""
    before = gimp.call("describe", image=image)
    result = gimp.call("colorize", image=image, drawables=drawables, **values)
    assert result["status"] == "execution-error"
    for word in words:
        assert word in result["error"]
    assert "Traceback" not in result["error"]
    assert gimp.call("describe", image=image) == before
    # GIMP closes a group that a plug-in left open, and complains about it.
    assert "inconsistent state" not in session.log.read_text("utf-8", "replace")


# Refusals


def test_a_floating_selection(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    gimp.call("select", image=image, x=10, y=10, width=100, height=100)
    assert gimp.call("float_selection", layer=layer)
    check_refused(gimp, session, image, [layer], "floating selection", "Anchor it")


def test_a_layer_mask(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    mask = gimp.call("add_mask", layer=layer)
    check_refused(gimp, session, image, [mask], "The layer's mask is selected", "thumbnail")


def test_several_layers(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    other = gimp.call("add_layer", image=image, name="other", width=20, height=20)
    check_refused(gimp, session, image, [layer, other], "2 layers are selected", "Click the one layer")


def test_no_layer(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, small[0], [], "No layer is selected")


@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", "U16_NON_LINEAR", "FLOAT_LINEAR"])
def test_an_empty_layer(gimp: Gimp, session: Session, small: Opened, precision: str) -> None:
    image, _ = small
    gimp.call("convert", image=image, precision=precision)
    empty = gimp.call("add_layer", image=image, name="empty", width=200, height=100)
    check_refused(gimp, session, image, [empty], "The layer is empty")


def test_an_empty_image_as_scope(gimp: Gimp, session: Session, small: Opened) -> None:
    image, layer = small
    gimp.call("set_visible", layer=layer, visible=False)
    check_refused(gimp, session, image, [layer], "The image is empty", scope="visible")


@pytest.mark.parametrize("lock", ["content", "position"])
def test_a_photograph_in_a_locked_group(gimp: Gimp, session: Session, small: Opened, lock: str) -> None:
    """GIMP would leave the new layer where it is not wanted, or end the plug-in when it writes the mask."""
    image, layer = small
    inner, outer = (gimp.call("add_group", image=image, name=name) for name in ("inner", "Scans"))
    gimp.call("move_into", image=image, layer=inner, group=outer)
    gimp.call("move_into", image=image, layer=layer, group=inner)
    gimp.call("lock", layer=outer, **{lock: True})
    check_refused(gimp, session, image, [layer], "the group “Scans”", "locked", "Unlock the group")


@pytest.mark.parametrize("base", ["GRAY", "INDEXED"])
def test_strokes_that_lost_their_colour(gimp: Gimp, session: Session, small: Opened, base: str) -> None:
    """As hints, strokes in an image that cannot hold colours would ask for grey."""
    image, layer = small
    hints = gimp.call("add_layer", image=image, name="Colour hints", width=200, height=200)
    gimp.call("draw_line", layer=hints, rgb=[200, 30, 30], points=[80, 100, 150, 160], width=9)
    gimp.call("convert", image=image, base=base)
    check_refused(gimp, session, image, [layer], f"is {base.lower().replace('gray', 'grey')}", "Image > Mode > RGB")


def test_a_layer_that_is_too_small(gimp: Gimp, session: Session, small: Opened) -> None:
    """The server's own refusal, in its words."""
    image, _ = small
    (session.folder / "small.raw").write_bytes(bytes(5 * 40 * 3))
    tiny = gimp.call(
        "add_layer", image=image, name="small", width=5, height=40,
        pixels=session.inside(session.folder / "small.raw"), pixel_format="R'G'B' u8",
    )  # fmt: skip
    check_refused(gimp, session, image, [tiny], "5 by 40", "at least 8 pixels")


def test_a_size_that_the_model_does_not_offer(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, small[0], [small[1]], "size", size=17)


def test_a_hints_layer_that_is_not_there(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, *_one(small), "no layer named “Strokes”", **{"hints-layer": "Strokes"})


def test_a_hints_layer_without_transparency(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, *_one(small), "has no transparency", **{"hints-layer": "Background"})


def test_what_is_no_address(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, *_one(small), "is not a server address", server="nonsense")
    check_refused(gimp, session, *_one(small), "on another computer", server="http://192.168.1.2:47811")


def _one(small: Opened) -> tuple[int, list[int]]:
    return small[0], [small[1]]


# Servers


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (faults.stranger, ["is held by a program that is not the colorize server", "nothing was sent to it"]),
        (faults.other_token, ["does not know this installation's token", "nothing was sent to it"]),
        (faults.failed, ["The model file is damaged. Install it again."]),
        (faults.refuses, ["The picture needs 9 GB. Close other programs."]),
        (faults.refuses_early, ["The picture is too large. Make it smaller."]),
        (faults.breaks, ["answered with error 500"]),
        (faults.cuts_off, ["cut off after", "Colorize again"]),
        (faults.dies, ["stopped while it was working", "Colorize again"]),
        (faults.answers_another_size, ["a picture of another kind"]),
        (faults.other_protocol, ["speaks version 2 of the protocol"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_server_that_misbehaves(
    gimp: Gimp,
    session: Session,
    small: Opened,
    faulty: Callable[[Callable[[faults.Exchange], None]], int],
    behave: Callable[[faults.Exchange], None],
    words: list[str],
) -> None:
    faulty(behave)
    check_refused(gimp, session, *_one(small), *words)


def test_a_grey_image_stays_grey_when_the_server_fails(
    gimp: Gimp, session: Session, small: Opened, faulty: Callable[[Callable[[faults.Exchange], None]], int]
) -> None:
    gimp.call("convert", image=small[0], base="GRAY")
    faulty(faults.cuts_off)
    check_refused(gimp, session, *_one(small), "cut off")
    assert gimp.call("describe", image=small[0])["base"] == "gray"


def test_no_server_and_no_program_to_start_one(gimp: Gimp, session: Session, small: Opened, no_program: None) -> None:
    session.use_state(session.folder / "nothing" / "state.json")
    check_refused(gimp, session, *_one(small), "could not be started", "colorize-server install gimp")


def test_no_server_at_the_address_of_the_artist(gimp: Gimp, session: Session, small: Opened) -> None:
    check_refused(gimp, session, *_one(small), "No colorize server answers on port 9", server="127.0.0.1:9")


@pytest.fixture
def own_daemon(session: Session, tiny_model_path: Path) -> Iterator[Daemon]:
    """A server that this test may kill."""
    daemon = Daemon(session.folder / "own", tiny_model_path)
    session.record(command=["/nowhere/colorize-server"])
    session.use_state(daemon.state_file)
    yield daemon
    daemon.close()


@pytest.fixture
def large(gimp: Gimp, session: Session) -> Iterator[Opened]:
    """A picture that takes its time."""
    width, height = LARGE
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    (session.folder / "large.raw").write_bytes(np.broadcast_to(ramp[:, None], (height, width, 3)).tobytes())
    image = gimp.call("new_image", width=width, height=height)
    layer = gimp.call(
        "add_layer", image=image, name="large", width=width, height=height,
        pixels=session.inside(session.folder / "large.raw"), pixel_format="R'G'B' u8",
    )  # fmt: skip
    yield image, layer
    gimp.call("close", image=image)


def wait_until(condition: Callable[[], bool], timeout_s: float) -> float:
    """Return after how many seconds a condition came true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, "it did not happen"
        time.sleep(0.01)
    return time.monotonic() - began


def test_a_server_that_is_killed_while_it_works(
    gimp: Gimp, session: Session, large: Opened, own_daemon: Daemon
) -> None:
    killer = threading.Thread(target=lambda: (wait_until(lambda: own_daemon.running > 0, 60), own_daemon.kill()))
    killer.start()
    check_refused(gimp, session, *_one(large), "The colorize server stopped while it was working")
    killer.join()


def test_cancel_ends_the_servers_work_within_a_second(
    gimp: Gimp, session: Session, large: Opened, own_daemon: Daemon
) -> None:
    """GIMP's Cancel button kills the plug-in's process; the server sees the closed socket."""
    before = gimp.call("describe", image=large[0])
    took: list[float] = []

    def cancel() -> None:
        wait_until(lambda: own_daemon.running > 0, 60)
        (plug_in,) = gimp.plug_in_processes()
        plug_in.kill()
        took.append(wait_until(lambda: own_daemon.running == 0, 5))

    canceller = threading.Thread(target=cancel)
    canceller.start()
    result = gimp.call("colorize", image=large[0], drawables=[large[1]])
    canceller.join()
    assert took[0] <= 1.0
    assert result["status"] != "success"
    assert gimp.call("describe", image=large[0]) == before
    # The server's processes are idle, and the next picture is served.
    processes = [psutil.Process(own_daemon.process.pid)]
    processes += processes[0].children(recursive=True)
    used = [sum(process.cpu_times()[:2]) for process in processes]
    time.sleep(0.5)
    assert sum(sum(process.cpu_times()[:2]) for process in processes) - sum(used) < 0.1
    assert own_daemon.health()["ready"]


# Starting the server


LEAVE_ROOT = """\
import os, sys
# The server's Python lies outside the folder that GIMP sees as its root; a root process may leave it.
os.makedirs({leave!r}, exist_ok=True)
os.chroot({leave!r})
for _ in range(32):
    os.chdir("..")
os.chroot(".")
os.environ["COLORIZE_STATE_DIR"] = {state!r}
os.chdir({home!r})
server = [{python!r}, "-P", "-m", "colorize_server.cli.main"]
os.execv(server[0], [*server, *sys.argv[1:], "--port", "0", "--model", {model!r}])
"""


@pytest.fixture
def starter(session: Session, tiny_model_path: Path) -> Iterator[Path]:
    """A command by which the plug-in in GIMP starts the real server."""
    state = session.folder / "started"
    state.mkdir(mode=0o700)
    values = {
        "state": str(state),
        "home": str(session.folder),
        "leave": session.inside(session.folder / "leave"),
        "python": sys.executable,
        "model": str(tiny_model_path),
    }
    (session.folder / "start.py").write_text(LEAVE_ROOT.format(**values))
    session.use_state(state / "state.json")
    session.record(command=["/usr/bin/python3", session.inside(session.folder / "start.py")])
    yield state
    argv = [sys.executable, "-P", "-m", "colorize_server.cli.main", "stop"]
    subprocess.run(argv, env={**os.environ, "COLORIZE_STATE_DIR": str(state)}, check=True, capture_output=True)
    shutil.rmtree(state)


def test_the_plug_in_starts_the_server_when_none_runs(
    gimp: Gimp, session: Session, small: Opened, starter: Path
) -> None:
    """The server belongs to no process of GIMP, and serves the next run too."""
    assert colorize(gimp, *_one(small))["parasite"]["model"] == "tiny 1"
    daemon = psutil.Process(json.loads((starter / "state.json").read_text())["pid"])
    assert psutil.Process(gimp.process.pid) not in daemon.parents()
    assert "--idle-exit" in daemon.cmdline()
    assert daemon.cmdline()[daemon.cmdline().index("--idle-exit") + 1] in ("30", "30.0")
    colorize(gimp, *_one(small))
    assert daemon.is_running()


def test_start_server_says_what_runs(gimp: Gimp, starter: Path) -> None:
    result = gimp.call("report", procedure="plug-in-colorize-start-server")
    assert result["status"] == "success", result["error"]
    assert "is ready at http://127.0.0.1:" in result["report"]
    assert "tiny 1, onnxruntime on CPU" in result["report"]


def test_the_doctor_tells_what_is_wrong_and_starts_nothing(gimp: Gimp, session: Session, no_program: None) -> None:
    session.use_state(session.folder / "nothing" / "state.json")
    report = gimp.call("report", procedure="plug-in-colorize-doctor")["report"]
    assert "No colorize server runs" in report
    assert "/nowhere/colorize-server" in report
    assert "GIMP 3." in report


def test_the_doctor_names_server_backend_and_model(gimp: Gimp, daemon: Daemon) -> None:
    report = gimp.call("report", procedure="plug-in-colorize-doctor")["report"]
    health = daemon.health()
    for word in (health["model"]["sha256"], health["model"]["name"], health["backend"]["active"], "ready"):
        assert word in report


def test_nothing_that_shows_is_left_of_a_failed_run(
    gimp: Gimp, session: Session, small: Opened, faulty: Callable[[Callable[[faults.Exchange], None]], int]
) -> None:
    """Pixels too are what they were."""
    image, layer = small
    size = gimp.call("describe", image=image)["layers"][0]["size"]
    before = dump_visible(gimp, session, image, size, 3)
    faulty(faults.dies)
    check_refused(gimp, session, image, [layer], "stopped while it was working")
    assert (dump_visible(gimp, session, image, size, 3) == before).all()
