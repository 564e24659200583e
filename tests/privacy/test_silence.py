"""No picture leaves this computer, and neither does anything else: whole runs, watched by strace.

The libraries report home by default (`colorize_server.privacy`); these tests see whether any of them still does.
"""

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from watched import Traced, foreign_sockets, new_files

PHOTOGRAPHS = Path(__file__).parents[1] / "photographs"
PHOTO = PHOTOGRAPHS / "abraham-lincoln-1860s.jpg"
REPORTS_AFTER_S = 12  # ONNX Runtime looked its collector up after eight seconds

can_trace = pytest.mark.skipif(
    shutil.which("strace") is None and "COLORIZE_REQUIRE_STRACE" not in os.environ,
    reason="strace is not installed",
)


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    return Traced(tmp_path)


def assert_silent(traced: Traced) -> None:
    assert foreign_sockets(traced.record) == []
    assert traced.strange_files() == []


@can_trace
def test_colorize_tells_nobody(traced: Traced):
    traced.run("colorize", PHOTO, "-o", traced.work / "out.png", "--doubt", traced.work / "doubt.png")
    assert (traced.work / "out.png").exists()
    assert_silent(traced)


def sent(port: int, token: str) -> int:
    """Send the photograph; return the status of the answer, which is read to its end."""
    headers = {"X-Colorize-Token": token, "Content-Type": "image/jpeg"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request("POST", "/v1/colorize", PHOTO.read_bytes(), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@can_trace
@pytest.mark.slow
def test_a_server_that_colours_a_picture_and_waits_tells_nobody(traced: Traced):
    server = traced.start("colorize-server", "start", "--port", "0")
    try:
        states = traced.home / ".local/state/colorize-server"
        deadline = time.monotonic() + 120
        while not list(states.glob("*.json")):
            assert time.monotonic() < deadline
            assert server.poll() is None, server.communicate()[0]
            time.sleep(0.1)
        state = json.loads(next(states.glob("*.json")).read_text())
        token = (states / "token").read_text().strip()
        while (status := sent(state["port"], token)) == http.HTTPStatus.SERVICE_UNAVAILABLE:  # loading its model
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert status == http.HTTPStatus.OK
        time.sleep(REPORTS_AFTER_S)
        traced.run("colorize-server", "status")
    finally:
        traced.run("colorize-server", "stop")
        server.communicate(timeout=60)
    assert_silent(traced)


@can_trace
@pytest.mark.slow
def test_doctor_and_selftest_tell_nobody(traced: Traced):
    traced.run("colorize-server", "doctor")  # imports whatever backend is installed
    traced.run("colorize-server", "selftest")
    if importlib.util.find_spec("openvino"):
        traced.run("colorize-server", "selftest", "--backend", "openvino")
    assert_silent(traced)


@can_trace
@pytest.mark.slow
def test_training_tools_tell_nobody(traced: Traced):
    pytest.importorskip("torch", reason="the extra train is not installed")
    from colorize_server.model import shipped_model_path
    from colorize_training.samples.drawn import make_photo

    photos = traced.work / "photos"
    photos.mkdir()
    for seed in range(24):
        make_photo(seed, side=100).save(photos / f"p{seed:02d}.png")
    shards = traced.work / "shards"
    traced.run("colorize-train", "prepare", photos, "--out", shards, "--set", "people")
    report = traced.work / "report"
    arguments = ("--data", shards, "--split", "train", "--pictures", "4", "--out", report)
    traced.run("colorize-train", "evaluate", shipped_model_path(), *arguments)
    assert_silent(traced)


@can_trace
def test_a_program_that_reaches_out_and_leaves_a_file_is_seen(traced: Traced):
    """The check can fail: a look-up and a file in the home folder, as a library would make them."""
    program = (
        "import pathlib, socket; pathlib.Path.home().joinpath('id.db').write_text('x');"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'?', ('127.0.0.1', 53))"
    )
    script = traced.work / "reports.py"
    script.write_text(program)
    traced.run(script)
    assert traced.strange_files() == [traced.home / "id.db"]
    assert len(foreign_sockets(traced.record)) == 1


@pytest.mark.parametrize(
    ("line", "is_foreign"),
    [
        ('1 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("203.0.113.9")}, 16) = 0', True),
        ('1 connect(3, {sa_family=AF_INET, sin_port=htons(47811), sin_addr=inet_addr("127.0.0.1")}, 16) = 0', False),
        ('1 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}, 16) = 0', True),
        (
            '1 sendto(3, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, "2001:db8::1")}',
            True,
        ),
        (
            '1 connect(3, {sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, "::1", &sin6_addr)}, 28) = 0',
            False,
        ),
        ('1 connect(3, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0', True),
        ('1 connect(3, {sa_family=AF_UNIX, sun_path="/run/x.sock"}, 42) = 0', False),
    ],
)
def test_sockets_are_told_apart(line: str, is_foreign: bool):
    assert bool(foreign_sockets(line)) is is_foreign


def test_only_files_that_were_made_count():
    record = """\
1 openat(AT_FDCWD, "/home/p/read", O_RDONLY|O_CLOEXEC) = 3
1 openat(AT_FDCWD, "/home/p/new", O_WRONLY|O_CREAT, 0666) = 3
1 openat(AT_FDCWD, "/home/p/refused", O_WRONLY|O_CREAT, 0666) = -1 EACCES (Permission denied)
1 mkdir("/home/p/folder", 0777) = 0
1 openat(AT_FDCWD, "/dev/null", O_WRONLY|O_CREAT, 0666) = 3"""
    assert new_files(record) == {Path("/home/p/new"), Path("/home/p/folder")}
