"""The .ccx and ``colorize-server install photoshop``; needs neither Node nor Chromium."""

import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from colorize_server import __version__
from colorize_server.cli import main as serve
from colorize_server.install import ccx, photoshop

REPOSITORY = Path(__file__).parents[3]
PANEL = REPOSITORY / "photoshop_uxp"


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    """A copy of the panel to break."""
    shutil.copytree(PANEL, tmp_path / "panel")
    return tmp_path / "panel"


def edit_manifest(panel: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((panel / "manifest.json").read_text())
    change(manifest)
    (panel / "manifest.json").write_text(json.dumps(manifest))


def test_same_bytes_twice(tmp_path: Path, panel: Path) -> None:
    """Neither the time nor the order of files on the disk changes the archive."""
    first = ccx.pack(PANEL, tmp_path / "first")
    for file in panel.rglob("*"):
        os.utime(file, (1, 1))
    shutil.copy(REPOSITORY / "LICENSE", panel.parent / "LICENSE")
    shutil.copy(REPOSITORY / "NOTICE", panel.parent / "NOTICE")
    second = ccx.pack(panel, tmp_path / "second")
    assert first.read_bytes() == second.read_bytes()
    assert first.name == "org.colorize-server.panel_PS.ccx"


def test_content(tmp_path: Path) -> None:
    """Everything that the panel loads is inside, at the root; nothing else is."""
    with zipfile.ZipFile(ccx.pack(PANEL, tmp_path)) as package:
        names = set(package.namelist())
        assert {entry.external_attr >> 16 for entry in package.infolist()} == {stat.S_IFREG | 0o644}
        assert package.testzip() is None
        assert package.read("main.js") == (PANEL / "main.js").read_bytes()
    assert {
        "manifest.json",
        "index.html",
        "style.css",
        "vendor/sha256.js",
        "vendor/LICENSE-js-sha256.txt",
        "LICENSE",
    } <= names
    assert {file.name for file in PANEL.glob("*.js")} <= names
    assert not [name for name in names if name.endswith((".md", ".ts")) or name.startswith(("panel-", "."))]


BROKEN: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("manifest version", lambda m: m.update(manifestVersion=4), "manifestVersion is not 5"),
    ("no icons", lambda m: m.pop("icons"), "the manifest lacks icons"),
    ("id", lambda m: m.update(id="a b"), "id is not made of"),
    ("short name", lambda m: m.update(name="Co"), "name is not 3 to 45"),
    ("version", lambda m: m.update(version="0.1"), "version is not x.y.z"),
    ("several hosts", lambda m: m.update(host=[m["host"]]), "host must be one object"),
    ("another host", lambda m: m["host"].update(app="XD"), "host needs app PS"),
    ("main", lambda m: m.update(main="nowhere.html"), "main names nowhere.html"),
    ("no entrypoint", lambda m: m.update(entrypoints=[]), "there is no entrypoint"),
    ("two of one id", lambda m: m["entrypoints"].append(m["entrypoints"][0]), "no two the same"),
    ("kind", lambda m: m["entrypoints"][0].update(type="window"), "neither panel nor command"),
    ("no label", lambda m: m["entrypoints"][0].pop("label"), "has no label"),
    ("panel without icons", lambda m: m["entrypoints"][0].pop("icons"), "has no icons"),
    ("scale in a path", lambda m: m["icons"][0].update(path="icons/plugin@1x.png"), "names a scale"),
    ("icon that is not there", lambda m: m["icons"][0].update(scale=[1, 2, 3]), "no file for scale 3"),
    ("icon of another size", lambda m: m["icons"][0].update(width=48), "not as large as"),
    ("all in a list", lambda m: m["requiredPermissions"]["network"]["domains"].append("all"), "silently denies"),
    ("no scheme", lambda m: m["requiredPermissions"]["network"].update(domains=["127.0.0.1:47811"]), "needs a scheme"),
    ("path", lambda m: m["requiredPermissions"]["network"].update(domains=["http://127.0.0.1/x"]), "no path"),
    ("wildcard", lambda m: m["requiredPermissions"]["network"].update(domains=["http://127.0.0.*"]), "wildcard"),
    ("word", lambda m: m["requiredPermissions"]["network"].update(domains="some"), "neither a list"),
]


@pytest.mark.parametrize(("change", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_manifest(panel: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    edit_manifest(panel, change)
    with pytest.raises(ccx.BrokenPanelError, match=message):
        ccx.pack(panel, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("manifest.json", "{", "cannot be read"),
        ("manifest.json", "[]", "cannot be read"),
        ("index.html", '<sp-button onclick="go()">', "inline handler"),
        ("main.js", "eval (text);", "code from strings"),
        ("main.js", "new Function(text)", "code from strings"),
        ("icons/plugin@1x.png", "GIF", "is no PNG"),
        ("icons/plugin@2x.png", "x" * (1 << 21), "larger than 1 MB"),
    ],
)
def test_broken_files(panel: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    (panel / name).write_text(text)
    with pytest.raises(ccx.BrokenPanelError, match=message):
        ccx.pack(panel, tmp_path)


def test_everything_that_is_broken_is_named(panel: Path, tmp_path: Path) -> None:
    edit_manifest(panel, lambda m: m.update(name="x", version="1", main="none"))
    with pytest.raises(ccx.BrokenPanelError, match=r"name is .*version is .*main names"):
        ccx.pack(panel, tmp_path)


def test_command_packs_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["ccx", "--folder", str(tmp_path)])
    assert ccx.main() == 0
    assert Path(capsys.readouterr().out.strip()).parent == tmp_path
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["ccx", "--panel", str(tmp_path), "--folder", str(tmp_path)])
    assert ccx.main() == 1
    assert "the manifest lacks" in capsys.readouterr().err


def install(*arguments: str) -> int:
    return serve.main(["install", "photoshop", *arguments])


def test_without_adobes_installer_it_is_explained(tmp_path: Path, capsys: Any) -> None:
    """As on Linux: the file is written, and the way by hand is told."""
    assert install("--folder", str(tmp_path / "new")) == 0
    package = tmp_path / "new" / ccx.PACKAGE_NAME
    with zipfile.ZipFile(package) as opened:
        assert "manifest.json" in opened.namelist()
    told = capsys.readouterr().out
    assert str(package) in told
    assert "Double-click the file" in told
    assert "colorize-server pair photoshop" in told
    assert install("--uninstall") == 0
    assert "Creative Cloud app" in capsys.readouterr().out


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of Adobe's installer that notes how it is called."""
    program = tmp_path / "agent"
    lines = [
        "#!/bin/sh",
        f'echo "$@" >> "{tmp_path / "calls"}"',
        f'if [ -e "{tmp_path / "refuse"}" ]; then echo no room; exit 7; fi',
        f'if [ "$1" = /list ]; then cat "{tmp_path / "list"}"; exit 0; fi',
        f'if [ -e "{tmp_path / "says"}" ]; then cat "{tmp_path / "says"}"; exit 0; fi',
        'if [ "$1" = /install ]; then echo Installation Successful; else echo Removal Successful; fi',
    ]
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    monkeypatch.setattr(photoshop, "WINDOWS_INSTALLER", program)
    monkeypatch.setattr(photoshop, "MACOS_INSTALLER", program)
    return program


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_on_windows_adobes_installer_is_run(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert install("--folder", str(tmp_path)) == 0
    assert (tmp_path / "calls").read_text().split() == ["/install", str(tmp_path / ccx.PACKAGE_NAME)]
    assert "Adobe's installer has installed it" in capsys.readouterr().out
    assert install("--uninstall") == 0
    assert (tmp_path / "calls").read_text().split()[-2:] == ["/remove", "colorize-server"]
    assert "Restart Photoshop" in capsys.readouterr().out
    (tmp_path / "calls").unlink()
    assert install("--folder", str(tmp_path), "--no-run") == 0
    assert not (tmp_path / "calls").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_when_adobes_installer_refuses(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    (tmp_path / "refuse").touch()
    assert install("--folder", str(tmp_path)) == 1
    error = capsys.readouterr().err
    assert "refused with code 7: no room" in error
    assert "Double-click" in error
    agent.unlink()
    agent.mkdir()  # there, but no program
    monkeypatch.setattr(
        photoshop,
        "find_installer",
        lambda: photoshop.Installer(agent, "/install", "/list", "/remove", needs_root=False),
    )
    assert install("--folder", str(tmp_path)) == 1
    assert "could not be run" in capsys.readouterr().err


LISTED = f"2 extensions installed\n Enabled   colorize-server   {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("said", "listed", "is_installed", "is_removed"),
    [
        (b"Failed to install, status = -160!", LISTED, False, False),
        (b"", "", False, False),
        (b"", " Enabled   colorize-server   0.0.1\n", False, False),
        (b"", " Enabled   Colorize by another   1.0\n", False, True),
        (b"", LISTED, True, False),
        (b"Installation Successful \x81", "", True, True),
    ],
)
def test_exit_code_0_is_no_proof(
    agent: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    said: bytes,
    listed: str,
    is_installed: bool,
    is_removed: bool,
) -> None:
    """Adobe's installer ends with 0 after failures: its words count, else its list of what is installed."""
    monkeypatch.setattr(sys, "platform", "win32")
    (tmp_path / "says").write_bytes(said)
    (tmp_path / "list").write_text(listed)
    assert install("--folder", str(tmp_path)) == (0 if is_installed else 1)
    told = capsys.readouterr()
    assert ("has installed it" in told.out) is is_installed
    assert is_installed or said.decode() in told.err
    assert install("--uninstall") == (0 if is_removed else 1)
    assert ("has removed the panel" in capsys.readouterr().out) is is_removed


def test_on_macos_the_command_is_shown(
    agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The installer wants root there: we show the command and run nothing."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert install("--folder", str(tmp_path)) == 0
    assert f'sudo "{agent}" --install "{tmp_path / ccx.PACKAGE_NAME}"' in capsys.readouterr().out
    assert install("--uninstall") == 0
    assert f'sudo "{agent}" --remove colorize-server' in capsys.readouterr().out
    assert not (tmp_path / "calls").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").touch()
    assert install("--folder", str(tmp_path / "file" / "below")) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_full_disk_gets_no_half_of_it(full_disk: Path, capsys: Any) -> None:
    """Adobe's installer would call a cut-off file damaged; the disk and what to do are named."""
    before = sorted(full_disk.iterdir())
    assert install("--folder", str(full_disk)) == 1
    said = capsys.readouterr().err
    assert f"There is no room left on the disk of {full_disk}: colorize-panel.ccx was not written." in said
    assert sorted(full_disk.iterdir()) == before


def test_names_agree() -> None:
    """What Adobe's installer is told to remove is what the manifest is called."""
    manifest = json.loads((PANEL / "manifest.json").read_text())
    assert manifest["name"] == photoshop.PANEL_NAME
