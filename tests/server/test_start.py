"""What `start` and `stop` make of the daemon that they find, and what the daemon makes of its addresses; no process."""

import argparse
import errno
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from blockbuster import BlockBuster
from colorize_server import __version__
from colorize_server.cli import start, status
from colorize_server.daemon.access import _is_ours
from colorize_server.daemon.keys import Access
from colorize_server.daemon.run import Daemon
from colorize_server.errors import ColorizeError
from colorize_server.installation.probe import Found, Who
from colorize_server.installation.state import DaemonState, StateFolder
from colorize_server.settings import Settings

ERROR = {"code": "out_of_memory", "message": "There is not enough memory.", "hint": "Close other programs."}
FAILED = {"state": "failed", "ready": False, "error": ERROR}
AGAIN = {"state": "starting", "ready": False, "error": ERROR}
READY = {"state": "ready", "ready": True}


def state_of(pid: int) -> DaemonState:
    return DaemonState("colorize-server", __version__, 1, "127.0.0.1", 47811, pid, "f" * 64)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    return folder


@pytest.fixture
def ended_pid(monkeypatch: pytest.MonkeyPatch) -> int:
    """The process of a daemon that has ended."""
    monkeypatch.setattr(psutil, "pid_exists", lambda pid: pid != 4711)
    return 4711


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.time, "sleep", lambda _: None)
    monkeypatch.setattr(start, "ask_to_stop", lambda _: None)


def found(monkeypatch: pytest.MonkeyPatch, *healths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Have the daemon say these, one each time that it is asked."""
    answers = iter(healths)
    monkeypatch.setattr(
        start,
        "find_daemon",
        lambda _: (state_of(1), Found(Who.OURS, 47811, {"version": __version__, **next(answers)})),
    )
    return answers


def test_a_daemon_that_cannot_colorize_is_no_success(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who starts it again learns why it does not work."""
    found(monkeypatch, FAILED)
    assert start._already_runs(folder) == 1
    assert "cannot colorize: There is not enough memory. Close other programs." in capsys.readouterr().err


@pytest.mark.parametrize(("outcome", "exit_code"), [(READY, 0), (FAILED, 1)])
def test_a_daemon_that_tries_again_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, outcome: dict[str, Any], exit_code: int
) -> None:
    answers = found(monkeypatch, AGAIN, AGAIN, outcome)
    assert start._already_runs(folder) == exit_code
    assert next(answers, None) is None


def test_a_daemon_that_starts_for_the_first_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, {"state": "starting", "ready": False})
    assert start._already_runs(folder) == 0
    assert "already runs on port 47811" in capsys.readouterr().out


def test_status_tells_that_the_model_is_loaded_again_and_why() -> None:
    rest = {"backend": {"active": None}, "model": None, "queue": {"running": 0, "length": 0}}
    lines = status._lines({**AGAIN, **rest})
    assert lines[:2] == [
        "It is loading its model again.",
        "It could not colorize: There is not enough memory. Close other programs.",
    ]


def test_stopping_does_not_wait_for_a_daemon_that_came_after(folder: StateFolder, ended_pid: int) -> None:
    """The lock is taken again at once where a plug-in starts the next one."""
    with folder.lock() as is_ours:
        assert is_ours
        folder.save(state_of(ended_pid + 1))
        start.stop_and_wait(state_of(ended_pid + 2), folder, 0.3)  # the state file names another
        folder.forget(ended_pid + 1)
        start.stop_and_wait(state_of(ended_pid), folder, 0.3)  # its process is gone
        folder.save(state_of(ended_pid + 1))
        with pytest.raises(ColorizeError, match="still finishing its work"):
            start.stop_and_wait(state_of(ended_pid + 1), folder, 0.01)


@pytest.mark.parametrize(
    ("host", "name", "is_ours"),
    [
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.2", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "[::1]", True),
        ("::ffff:127.0.0.2", "[::ffff:127.0.0.2]", True),
        ("Studio.local", "studio.local", True),
        ("127.0.0.2", "evil.example", False),
    ],
)
def test_the_address_that_is_listened_on_is_ours(host: str, name: str, is_ours: bool) -> None:
    """And no other name, with another port neither."""
    access = Access(token=str, host=host, port=47811)
    assert _is_ours(f"{name}:47811", access) is is_ours
    assert not _is_ours(f"{name}:47812", access)


async def test_an_address_that_cannot_be_had_is_told_by_its_option(
    folder: StateFolder, blockbuster: BlockBuster
) -> None:
    """Who asked for --ipv6 is not told to leave out --host."""
    blockbuster.deactivate()  # the folder is read while no one is served yet

    class NoAddress:
        port = 47811

        def __init__(self, refused: str) -> None:
            self.refused = refused

        async def open(self, host: str, _: int) -> None:
            if host == self.refused:
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    daemon = Daemon(Settings(ipv6=True, host="127.0.0.9"), folder, None)  # type: ignore[arg-type]
    for refused, hint in (("::1", "Leave out --ipv6."), ("127.0.0.9", "Leave out --host, or name an address")):
        with pytest.raises(ColorizeError) as caught:
            await daemon._listen(NoAddress(refused))  # type: ignore[arg-type]
        assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(("free", "words"), [(1000, "no room left on the disk"), (1 << 30, "ended without a word")])
def test_a_daemon_that_could_not_even_write_why_is_told(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, free: int, words: str
) -> None:
    """On a full disk its words have nowhere to go."""
    monkeypatch.setattr(start, "_same_arguments", lambda args: ["--nonsense"])
    monkeypatch.setattr(start.shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    monkeypatch.setattr(Path, "read_text", lambda *_: "")
    with pytest.raises(ColorizeError, match=words):
        start._start_in_background(folder, argparse.Namespace())
