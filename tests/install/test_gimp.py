"""``colorize-server install gimp``: the right folders, the executable bit, the record of the server's command."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from colorize_server import __version__
from colorize_server.cli.main import main
from colorize_server.errors import OutputError
from colorize_server.install import gimp
from colorize_server.installation.state import STATE_DIR_VARIABLE


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home on Linux."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in (gimp.PROFILE_VARIABLE, "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def make(*parts: str, home: Path) -> Path:
    folder = home.joinpath(*parts)
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("platform", "parts"),
    [
        ("linux", (".config", "GIMP", "3.0")),
        ("linux", (".config", "GIMP", "3.2")),
        ("linux", (".var", "app", "org.gimp.GIMP", "config", "GIMP", "3.0")),
        ("linux", ("snap", "gimp", "current", ".config", "GIMP", "3.0")),
        ("darwin", ("Library", "Application Support", "GIMP", "3.0")),
        ("win32", ("AppData", "Roaming", "GIMP", "3.0")),
    ],
)
def test_the_profile_of_every_platform_is_found(
    home: Path, platform: str, parts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(*parts, home=home)
    monkeypatch.setattr(sys, "platform", platform)
    assert [profile.plug_in for profile in gimp.find_profiles()] == [folder / "plug-ins" / "colorize"]


def test_windows_asks_for_the_roaming_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("APPDATA", str(home / "Roaming"))
    folder = make("Roaming", "GIMP", "3.0", home=home)
    assert [profile.folder for profile in gimp.find_profiles()] == [folder]


def test_gimps_own_variable_names_the_profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gimp.PROFILE_VARIABLE, "my-profile")
    assert [profile.folder for profile in gimp.find_profiles()] == [home / "my-profile"]


def test_the_command_installs_a_plug_in_that_gimp_will_run(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(home / "state"))
    profile = make(".config", "GIMP", "3.0", home=home)
    assert main(["install", "gimp"]) == 0
    plug_in = profile / "plug-ins" / "colorize"
    assert str(plug_in) in capsys.readouterr().out
    script = plug_in / "colorize.py"
    assert script.stat().st_mode & stat.S_IXUSR
    assert {file.name for file in plug_in.glob("*.py")} == {file.name for file in gimp.plug_in_source().glob("*.py")}
    record = json.loads((plug_in / "server.json").read_text())
    assert record["version"] == __version__
    assert record["state_file"] == str(home / "state" / "state.json")
    assert [item.name for item in (profile / "plug-ins").iterdir()] == ["colorize"]


def test_the_recorded_command_runs_the_server(home: Path) -> None:
    output = subprocess.run([*gimp.start_command(), "--version"], capture_output=True, text=True, check=True, cwd=home)
    assert output.stdout.strip() == f"colorize-server {__version__}"


def test_installing_again_replaces_what_was_there(home: Path) -> None:
    profile = make(".config", "GIMP", "3.0", home=home)
    main(["install", "gimp"])
    plug_in = profile / "plug-ins" / "colorize"
    (plug_in / "left_over.py").write_text("")
    (plug_in / "__pycache__").mkdir()
    assert main(["install", "gimp"]) == 0
    assert not (plug_in / "left_over.py").exists()
    assert not (plug_in / "__pycache__").exists()


def test_uninstalling_leaves_nothing_behind(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = make(".config", "GIMP", "3.0", home=home)
    main(["install", "gimp"])
    assert main(["install", "gimp", "--uninstall"]) == 0
    assert list((profile / "plug-ins").iterdir()) == []
    assert "Removed" in capsys.readouterr().out
    assert main(["install", "gimp", "--uninstall"]) == 0
    assert "was not installed" in capsys.readouterr().out


def test_a_gimp_in_flatpak_is_told_what_its_sandbox_needs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(".var", "app", "org.gimp.GIMP", "config", "GIMP", "3.0", home=home)
    assert main(["install", "gimp"]) == 0
    assert "flatpak override" in capsys.readouterr().out


def test_gimp_2_10_is_recognised_by_its_profile(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(".config", "GIMP", "2.10", home=home)
    assert main(["install", "gimp"]) == 1
    assert "GIMP 2.10 was found, but the plug-in needs GIMP 3.0" in capsys.readouterr().err


def test_gimp_2_10_is_recognised_by_its_program(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = make("bin", home=home) / "gimp"
    program.write_text("#!/bin/sh\necho 'GNU Image Manipulation Program version 2.10.34'\n")
    program.chmod(0o755)
    assert main(["install", "gimp"]) == 1
    assert "GIMP 2.10 was found" in capsys.readouterr().err


def test_gimp_2_10_beside_gimp_3_is_left_alone(home: Path) -> None:
    old = make(".config", "GIMP", "2.10", home=home)
    make(".config", "GIMP", "3.0", home=home)
    assert main(["install", "gimp"]) == 0
    assert list(old.iterdir()) == []


def test_a_computer_without_gimp_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "gimp"]) == 1
    error = capsys.readouterr().err
    assert "No folder of a GIMP 3 was found" in error
    assert "--folder" in error


def test_a_folder_of_the_users_choice_is_taken(home: Path) -> None:
    assert main(["install", "gimp", "--folder", str(home / "portable")]) == 0
    assert (home / "portable" / "colorize" / "colorize.py").exists()


def test_somebody_elses_plug_in_of_that_name_is_left_alone(home: Path) -> None:
    plug_in = make(".config", "GIMP", "3.0", "plug-ins", "colorize", home=home)
    (plug_in / "colorize.py").write_text("mine")
    for target in (gimp.install, gimp.uninstall):
        with pytest.raises(OutputError, match="did not put there"):
            target(plug_in)
    assert (plug_in / "colorize.py").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told_in_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    profile = make(".config", "GIMP", "3.0", home=home)
    (profile / "plug-ins").write_text("not a folder")
    assert main(["install", "gimp"]) == 1
    error = capsys.readouterr().err
    assert "cannot be changed" in error
    assert "Traceback" not in error


def test_a_failed_copy_leaves_the_old_plug_in_in_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(".config", "GIMP", "3.0", home=home)
    main(["install", "gimp"])

    def no_space(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gimp.shutil, "copyfile", no_space)
    assert main(["install", "gimp"]) == 1
    plug_ins = home / ".config" / "GIMP" / "3.0" / "plug-ins"
    assert [item.name for item in plug_ins.iterdir()] == ["colorize"]
    assert (plug_ins / "colorize" / "colorize.py").exists()
