"""How the plug-in finds the server, and starts it when none runs; no GIMP needed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import faults
import launcher
import pytest
from colorize_server.installation.state import STATE_DIR_VARIABLE, StateFolder
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from protocol import NoServerError, Server, ServerError
from real_daemon import REPOSITORY, Daemon


@pytest.fixture(autouse=True)
def _own_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record of an installer, no program on PATH, a home of its own."""
    monkeypatch.setattr(launcher, "INSTALLED_FILE", tmp_path / "server.json")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in (STATE_DIR_VARIABLE, "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def record(**members: object) -> None:
    launcher.INSTALLED_FILE.write_text(json.dumps(members))


# Where the state file is


def test_the_plug_in_and_the_server_agree_where_the_state_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launcher.state_file() == StateFolder().state_file
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert launcher.state_file() == StateFolder().state_file
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path / "named"))
    assert launcher.state_file() == StateFolder().state_file


def test_the_plug_in_finds_the_same_place_on_macos_and_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server asks platformdirs, which the plug-in does not have."""
    for platform, folders in (("darwin", MacOS), ("linux", Unix)):
        monkeypatch.setattr(sys, "platform", platform)
        expected = Path(folders("colorize-server", appauthor=False).user_state_dir) / "state.json"
        assert launcher.state_file() == expected


def test_the_plug_in_finds_the_same_place_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    from platformdirs import windows

    monkeypatch.setattr(windows, "get_win_folder", lambda name: {"CSIDL_LOCAL_APPDATA": str(tmp_path / "Local")}[name])
    expected = Path(windows.Windows("colorize-server", appauthor=False).user_state_dir) / "state.json"
    assert launcher.state_file() == expected


def test_what_the_installer_recorded_wins_over_the_plug_ins_own_idea(tmp_path: Path) -> None:
    """A GIMP from Flatpak has other folders than the server."""
    record(state_file=str(tmp_path / "elsewhere" / "state.json"))
    assert launcher.state_file() == tmp_path / "elsewhere" / "state.json"


def test_a_damaged_record_or_state_file_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher.INSTALLED_FILE.write_text("{")
    assert launcher.installed() == {}
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path))
    for content in ("", "[]", '{"port": "x"}', '{"host": "127.0.0.1", "port": 1}'):
        (tmp_path / "state.json").write_text(content)
        assert launcher.locate() is None


def test_a_server_that_listens_everywhere_is_asked_on_the_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tmp_path))
    (tmp_path / "state.json").write_text(json.dumps({"host": "::", "port": 47811, "token": "t"}))
    assert launcher.locate() == Server("127.0.0.1", 47811, "t")


def test_an_address_of_the_artist_is_asked_with_this_installations_token(
    tiny_daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(tiny_daemon.folder))
    server, health = launcher.find(f"localhost:{tiny_daemon.state['port']}")
    assert server.host == "localhost"
    assert health.model == "tiny 1"


def test_an_address_without_any_token_is_refused_in_words() -> None:
    with pytest.raises(ServerError, match="no token of this installation"):
        launcher.find("localhost:47811")


# Starting it


@pytest.fixture
def starter(tmp_path: Path, tiny_model_path: Path) -> Path:
    """A record whose command is the real one, on a free port, with a model that takes no time.

    Where the state is stands in the record alone: the server by itself would write it elsewhere.
    """
    state = tmp_path / "state"
    script = tmp_path / "server.py"
    script.write_text(
        "import os, sys\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, '-P', '-m', 'colorize_server.cli.main', *sys.argv[1:],"
        f" '--port', '0', '--model', {str(tiny_model_path)!r}])\n"
    )
    record(command=[sys.executable, str(script)], state_file=str(state / "state.json"))
    return state


def stop(state: Path) -> None:
    environment = {**os.environ, STATE_DIR_VARIABLE: str(state)}
    argv = [sys.executable, "-P", "-m", "colorize_server.cli.main", "stop"]
    subprocess.run(argv, env=environment, check=True, capture_output=True)


def test_a_server_is_started_when_none_runs_and_outlives_the_plug_in(starter: Path) -> None:
    told: list[str] = []
    script = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY / 'gimp_plugin' / 'colorize')!r}); import launcher, pathlib;"
        f"launcher.INSTALLED_FILE = pathlib.Path({str(launcher.INSTALLED_FILE)!r});"
        "server, health = launcher.connect(tell=print); print(health.state)"
    )
    plug_in = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    told = plug_in.stdout.splitlines()
    assert told[:2] == ["Looking for the colorize server", "Starting the colorize server"]
    assert told[-1] == "ready"
    # The plug-in's process is gone; a second one finds the server and starts nothing.
    before = json.loads((starter / "state.json").read_text())["pid"]
    _, health = launcher.connect()
    assert health.model == "tiny 1"
    assert json.loads((starter / "state.json").read_text())["pid"] == before
    stop(starter)


def test_an_old_state_file_whose_port_a_stranger_took_is_no_obstacle(starter: Path) -> None:
    faulty = faults.FaultyServer(faults.stranger)
    faulty.write_state(starter)
    starter.chmod(0o700)
    _, health = launcher.connect()
    assert health.model == "tiny 1"
    assert faults.TOKEN.encode() not in faulty.received
    faulty.close()
    stop(starter)


def test_a_server_that_cannot_start_says_why(starter: Path, tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(script.read_text().replace("'--port', '0'", "'--port', '0', '--backend', 'no-such-backend'"))
    with pytest.raises(ServerError) as caught:
        launcher.connect()
    assert "no-such-backend" in str(caught.value) or "backend" in str(caught.value)
    assert caught.value.hint
    stop(starter)  # it goes on running, to tell why it cannot work


def test_a_program_that_is_gone_is_told_with_the_remedy(tmp_path: Path) -> None:
    record(command=[str(tmp_path / "gone" / "python"), "-m", "colorize_server.cli.main"])
    with pytest.raises(ServerError, match=r"could not be started .*gone.*colorize-server install gimp"):
        launcher.connect()


def test_no_program_at_all_is_told_with_the_remedy() -> None:
    with pytest.raises(ServerError, match=r"no program to start one was found\. Install colorize-server"):
        launcher.connect()


def test_the_program_on_path_is_taken_when_the_recorded_one_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "colorize-server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    record(command=[str(tmp_path / "gone")])
    assert list(launcher.commands()) == [[str(tmp_path / "gone")], [str(program)]]


def test_a_server_at_an_address_of_the_artist_is_never_started(starter: Path) -> None:
    faulty = faults.FaultyServer(faults.stranger)
    faulty.write_state(starter)
    faulty.close()
    with pytest.raises(NoServerError):
        launcher.connect(f"127.0.0.1:{faulty.port}")
    assert not (starter / "token").exists()


def test_what_gimp_set_for_its_own_python_does_not_reach_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/gimp")
    monkeypatch.setenv("PYTHONPATH", "/gimp")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/gpu")
    output = tmp_path / "environment"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {output}.new\nmv {output}.new {output}\n")
    program.chmod(0o755)
    record(command=[str(program)])
    text = output_of_the_started(output)
    assert "PYTHONHOME" not in text
    assert "PYTHONPATH" not in text
    assert "LD_LIBRARY_PATH=/gpu" in text
    # An application bundle's own libraries are not the user's.
    monkeypatch.setenv("APPDIR", "/bundle")
    assert "LD_LIBRARY_PATH" not in output_of_the_started(output)


def output_of_the_started(output: Path) -> str:
    output.unlink(missing_ok=True)
    with launcher.start():
        end = time.monotonic() + 10
        while not output.exists() and time.monotonic() < end:
            time.sleep(0.02)
    return output.read_text()


def test_a_server_that_loads_its_model_is_waited_for() -> None:
    answers = iter([{"state": "starting", "ready": False, "model": None}] * 2)
    faulty = faults.FaultyServer(lambda exchange: exchange.answer_health(**next(answers, {})))
    state = faulty.write_state(launcher.INSTALLED_FILE.parent / "state")
    record(state_file=str(state))
    told: list[str] = []
    began = time.monotonic()
    _, health = launcher.connect(tell=told.append)
    assert health.state == "ready"
    assert "The colorize server is loading its model" in told
    assert time.monotonic() - began < 10
    faulty.close()


def test_a_server_that_cannot_load_its_model_says_so() -> None:
    faulty = faults.FaultyServer(faults.failed)
    record(state_file=str(faulty.write_state(launcher.INSTALLED_FILE.parent / "state")))
    with pytest.raises(ServerError, match=r"The model file is damaged\. Install it again\."):
        launcher.connect()
    faulty.close()


def test_flatpak_asks_the_host_to_start_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox cannot run the host's programs itself."""
    said = tmp_path / "said"
    program = tmp_path / "flatpak-spawn"
    program.write_text(f"#!/bin/sh\necho $* > {said}.new\nmv {said}.new {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(launcher, "FLATPAK_FILE", launcher.INSTALLED_FILE)
    record(command=["/home/me/venv/bin/python"], state_file="/home/me/state/state.json")
    told = f"--env={STATE_DIR_VARIABLE}=/home/me/state"
    assert output_of_the_started(said).startswith(f"--host {told} /home/me/venv/bin/python start --background")


def test_the_plug_in_uses_the_standard_library_and_gi_only() -> None:
    import ast

    folder = REPOSITORY / "gimp_plugin" / "colorize"
    allowed = sys.stdlib_module_names | {"gi"} | {file.stem for file in folder.glob("*.py")}
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, file.name


def test_a_dead_address_of_the_artist_is_not_answered_by_starting_another_server(tmp_path: Path) -> None:
    """Start Server would start one elsewhere."""
    (tmp_path / "state.json").write_text(json.dumps({"host": "127.0.0.1", "port": 9, "token": "5" * 64}))
    record(state_file=str(tmp_path / "state.json"))
    with pytest.raises(NoServerError, match="Server address") as caught:
        launcher.connect("http://127.0.0.1:9")
    assert "Start Server" not in str(caught.value)
