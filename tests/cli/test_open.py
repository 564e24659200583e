"""``colorize-server open``: a server is found or started, and the code is seen by nobody else."""

import re
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from colorize_server.cli import open as command
from colorize_server.cli.main import main
from colorize_server.installation.probe import Found, Who
from colorize_server.installation.state import DaemonState

STATE = DaemonState("colorize-server", "1.2.3", 1, "127.0.0.1", 47811, 4711, "f" * 64)


@pytest.fixture
def running(state_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that is ours, without the server."""
    state_folder.mkdir(mode=0o700)
    monkeypatch.setattr(command, "find_daemon", lambda folder: (STATE, Found(Who.OURS, 47811)))
    monkeypatch.setattr(command, "ask_for_page_code", lambda state: "the-code")
    return state_folder


def test_the_address_is_in_a_private_file_and_on_no_command_line(running: Path, monkeypatch: Any, capsys: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    (running / "open-old.html").write_text("an older code")
    assert main(["open"]) == 0
    [file] = running.glob("open-*.html")
    assert opened == [file.as_uri()]
    assert "url=http://127.0.0.1:47811/#code=the-code" in file.read_text()
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "the-code" not in capsys.readouterr().out


def test_without_a_browser_nothing_is_left(running: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert main(["open"]) == 1
    assert "--print-url" in capsys.readouterr().err
    assert not list(running.glob("open-*.html"))


def test_the_address_can_be_printed(running: Path, capsys: Any) -> None:
    assert main(["open", "--print-url"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:47811/#code=the-code\n"


def test_an_older_server_is_told_of(running: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(command, "ask_for_page_code", lambda state: {}["code"])
    assert main(["open"]) == 1
    assert "colorize-server stop" in capsys.readouterr().err


def test_a_server_is_started_if_none_runs(state_folder: Path) -> None:
    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "colorize_server.cli.main", *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    try:
        assert re.search(r"^http://127\.0\.0\.1:478\d\d/#code=[\w-]{43}$", run("open", "--print-url"), re.MULTILINE)
    finally:
        run("stop")
