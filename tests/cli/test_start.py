"""What `start` and `stop` make of the daemon that they find, and what the daemon makes of its addresses; no process."""

import argparse
import dataclasses
import errno
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import psutil
import pytest
from blockbuster import BlockBuster
from colorize_server import __version__
from colorize_server.cli import running, start, status
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
    monkeypatch.setattr(running.time, "sleep", lambda _: None)
    monkeypatch.setattr(running, "ask_to_stop", lambda _: None)


def found(monkeypatch: pytest.MonkeyPatch, *healths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Have the daemon say these, one each time that it is asked."""
    answers = iter(healths)
    monkeypatch.setattr(
        running,
        "find_daemon",
        lambda _: (state_of(1), Found(Who.OURS, 47811, {"version": __version__, **next(answers)})),
    )
    return answers


def test_a_daemon_that_cannot_colorize_is_no_success(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who starts it again learns why it does not work."""
    found(monkeypatch, FAILED)
    assert running.already_runs(folder) == 1
    assert "cannot colorize: There is not enough memory. Close other programs." in capsys.readouterr().err


PORT: Final = 47811
RUNS: Final = {
    "state": "ready",
    "ready": True,
    "backend": {"requested": "auto", "active": "onnxruntime"},
    "model": {"name": "colorize-base", "version": "1.0.0", "sha256": hashlib.sha256(b"a model").hexdigest()},
}


def asked(*words: str) -> argparse.Namespace:
    """What `colorize-server start WORDS` asks for."""
    parser = argparse.ArgumentParser()
    start.add_parser(parser.add_subparsers())
    return parser.parse_args(["start", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--port", "5000"], "already runs on port 47811, but not on port 5000"),
        (["--backend", "cuda"], "computes with onnxruntime, not cuda"),
        (["--model", "MODEL"], "with the model colorize-base 1.0.0, not other.onnx"),
        (["--host", "127.0.0.2"], "listens on 127.0.0.1, not on 127.0.0.2"),
    ],
)
def test_a_daemon_with_other_options_is_no_success(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, tmp_path: Path, words: list[str], told: str
) -> None:
    """What was asked for is not ignored in silence, and the way out is named."""
    other = tmp_path / "other.onnx"
    other.write_bytes(b"another model")
    found(monkeypatch, RUNS)
    with pytest.raises(ColorizeError) as caught:
        running.already_runs(folder, asked(*(str(other) if word == "MODEL" else word for word in words)))
    assert told in str(caught.value)
    assert "--replace" in str(caught.value)
    assert "colorize-server stop" in str(caught.value)


OPTIONS: Final = {"allow_remote": False, "ipv6": False, "device": 0, "require_gpu": False, "idle_exit_s": 1800.0}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--ipv6"], "was started without --ipv6"),
        (["--allow-remote"], "was started without --allow-remote"),
        (["--require-gpu"], "was started without --require-gpu"),
        (["--device", "1"], "was started with --device 0, not 1"),
        (["--idle-exit", "5"], "was started with --idle-exit 30, not 5"),
        (["--idle-exit", "30"], None),
        ([], None),
    ],
)
def test_a_daemon_with_other_quiet_options_is_no_success_either(words: list[str], told: str | None) -> None:
    """Nobody else tells them: they stand in the state file."""
    state = dataclasses.replace(state_of(1), options=OPTIONS)
    differences = running._differences(state, RUNS, asked(*words))
    assert differences == ([] if told is None else [told])
    assert running._differences(state_of(1), RUNS, asked(*words)) == []  # found without its state file


def test_a_daemon_that_never_ends_by_itself_is_not_what_idle_exit_asks_for() -> None:
    state = dataclasses.replace(state_of(1), options={**OPTIONS, "idle_exit_s": None})
    assert running._differences(state, RUNS, asked("--idle-exit", "5")) == ["was started without --idle-exit"]


def test_a_host_that_does_not_exist_is_not_said_to_let_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ColorizeError, match="There is no address called banana"):
        start.settings_from(asked("--host", "banana"))
    with pytest.raises(ColorizeError, match="There is no address called banana"):
        start.settings_from(asked("--host", "banana", "--allow-remote"))


def test_a_daemon_with_what_was_asked_for_is_a_success(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model is known by its content, not its name; one that still loads is waited for."""
    same = tmp_path / "renamed.onnx"
    same.write_bytes(b"a model")
    starting = {"state": "starting", "ready": False, "backend": {"requested": "auto", "active": None}, "model": None}
    answers = found(monkeypatch, starting, RUNS)
    words = ["--port", str(PORT), "--backend", "onnxruntime", "--model", str(same)]
    assert running.already_runs(folder, asked(*words)) == 0
    assert next(answers, None) is None
    assert "already runs on port 47811" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("health", "words", "told"),
    [(FAILED, [], "There is not enough memory."), (RUNS, ["--replace", "--port", "5000"], "finish its work")],
)
def test_a_daemon_that_failed_or_is_to_be_replaced_goes(
    monkeypatch: pytest.MonkeyPatch,
    folder: StateFolder,
    capsys: pytest.CaptureFixture[str],
    health: dict[str, Any],
    words: list[str],
    told: str,
) -> None:
    """Nobody has to stop a useless server by hand before the corrected command works."""
    stopped: list[DaemonState] = []
    monkeypatch.setattr(running, "ask_to_stop", stopped.append)
    found(monkeypatch, health)
    assert running.already_runs(folder, asked(*words)) is None
    assert [state.port for state in stopped] == [PORT]
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(("outcome", "exit_code"), [(READY, 0), (FAILED, 1)])
def test_a_daemon_that_tries_again_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, outcome: dict[str, Any], exit_code: int
) -> None:
    answers = found(monkeypatch, AGAIN, AGAIN, outcome)
    assert running.already_runs(folder) == exit_code
    assert next(answers, None) is None


def test_a_daemon_that_starts_for_the_first_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, folder: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    found(monkeypatch, {"state": "starting", "ready": False})
    assert running.already_runs(folder) == 0
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
        running.stop_and_wait(state_of(ended_pid + 2), folder, 0.3)  # the state file names another
        folder.forget(ended_pid + 1)
        running.stop_and_wait(state_of(ended_pid), folder, 0.3)  # its process is gone
        folder.save(state_of(ended_pid + 1))
        with pytest.raises(ColorizeError, match="still finishing its work"):
            running.stop_and_wait(state_of(ended_pid + 1), folder, 0.01)


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
