"""Install the Photoshop panel: by Adobe's own installer where there is one, else by saying what to do with the file."""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import __version__
from ..errors import OutputError
from ..files import refusal, write_whole
from ..folders import downloads_folder
from . import ccx

PANEL_NAME: Final = "colorize-server"
"""As the manifest has it; Adobe's installer lists and removes plug-ins by this name, so it must be nobody else's."""
INSTALLER_TIMEOUT_S: Final = 300

_AGENT: Final = Path("Adobe", "Adobe Desktop Common", "RemoteComponents", "UPI", "UnifiedPluginInstallerAgent")
WINDOWS_INSTALLER: Final = Path("C:/Program Files/Common Files") / _AGENT / "UnifiedPluginInstallerAgent.exe"
MACOS_INSTALLER: Final = (
    Path("/Library/Application Support")
    / _AGENT
    / "UnifiedPluginInstallerAgent.app"
    / "Contents"
    / "MacOS"
    / "UnifiedPluginInstallerAgent"
)
NEXT_STEPS: Final = """\
Then start Photoshop (25.2 or later) again if it is running: Plugins > colorize-server > Colorize.
Run 'colorize-server pair photoshop' and paste the code it shows into the panel's Settings.
"""
BY_HAND: Final = """\
Double-click the file: the Creative Cloud app opens it and asks twice, because the panel does not come from Adobe's
marketplace; choose "Install locally".
"""


@dataclass(frozen=True, slots=True)
class Installer:
    """Adobe's Unified Plugin Installer Agent, which comes with the Creative Cloud app.

    Attributes:
        program: its file.
        install: its option that installs a file.
        list_all: its option that lists what is installed.
        remove: its option that removes a plug-in by name.
        needs_root: it works for an administrator only.
    """

    program: Path
    install: str
    list_all: str
    remove: str
    needs_root: bool


def find_installer() -> Installer | None:
    """Return Adobe's installer, or None where there is none."""
    installers = {
        "win32": Installer(WINDOWS_INSTALLER, "/install", "/list", "/remove", needs_root=False),
        "darwin": Installer(MACOS_INSTALLER, "--install", "--list", "--remove", needs_root=True),
    }
    installer = installers.get(sys.platform)
    return installer if installer and installer.program.is_file() else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorize-server install photoshop``."""
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="where the panel's file goes (default: your downloads)"
    )
    parser.add_argument("--no-run", action="store_true", help="do not run Adobe's installer, only write the file")


def run(args: argparse.Namespace) -> int:
    """Install or uninstall as the arguments say; prints what it did."""
    installer = find_installer()
    if args.uninstall:
        return _uninstall(installer)
    package = write_package(args.folder or downloads_folder())
    print(f"The Photoshop panel is in {package}")  # noqa: T201
    if installer is None or args.no_run:
        print(BY_HAND, end="")  # noqa: T201
    elif installer.needs_root:
        print("Double-click it, or install it by this command, which asks for your password:")  # noqa: T201
        print(f'    sudo "{installer.program}" {installer.install} "{package}"')  # noqa: T201
    else:
        _call(installer, installer.install, str(package), f"Double-click {package} instead.")
        print("Adobe's installer has installed it.")  # noqa: T201
    print(NEXT_STEPS, end="")  # noqa: T201
    return 0


def _uninstall(installer: Installer | None) -> int:
    if installer is None:
        print("Remove the panel in the Creative Cloud app: Stock & Marketplace > Plugins > Manage plugins.")  # noqa: T201
    elif installer.needs_root:
        print("Remove the panel by this command, which asks for your password:")  # noqa: T201
        print(f'    sudo "{installer.program}" {installer.remove} {PANEL_NAME}')  # noqa: T201
    else:
        _call(installer, installer.remove, PANEL_NAME, "Remove it in the Creative Cloud app: Manage plugins.")
        print("Adobe's installer has removed the panel. Restart Photoshop if it is running.")  # noqa: T201
    return 0


def _call(installer: Installer, option: str, argument: str, hint: str) -> None:
    """Run Adobe's installer and make sure that it did what it was asked for.

    It ends with exit code 0 after some failures, too: only its words, or its own list of plug-ins, tell.

    Raises:
        OutputError: it could not be run, or refused, or nothing shows that it did it.
    """
    code, said = _output_of(installer, option, argument, hint)
    words = " ".join(said.split())[-200:]
    if code:
        raise OutputError(f"Adobe's installer refused with code {code}: {words}", hint, code="not_writable")
    if "fail" not in said.lower():
        if "successful" in said.lower():
            return
        _, listed = _output_of(installer, installer.list_all, "all", hint)
        entries = [line for line in listed.splitlines() if PANEL_NAME in line]
        is_installing = option == installer.install
        if any(__version__ in line for line in entries) if is_installing else listed.strip() and not entries:
            return
    raise OutputError(f"Adobe's installer did not do it: {words or 'it said nothing'}.", hint, code="not_writable")


def _output_of(installer: Installer, option: str, argument: str, hint: str) -> tuple[int, str]:
    """Return the exit code of Adobe's installer and what it said.

    Raises:
        OutputError: it could not be run.
    """
    try:
        result = subprocess.run(  # noqa: S603 - Adobe's program, our own arguments
            [str(installer.program), option, argument],
            capture_output=True,
            text=True,
            errors="replace",  # it speaks the system's code page, whatever Python takes that to be
            timeout=INSTALLER_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise OutputError(f"Adobe's installer could not be run ({error}).", hint, code="not_writable") from error
    return result.returncode, result.stdout + result.stderr


def write_package(folder: Path) -> Path:
    """Copy the panel's .ccx into `folder`; returns the file.

    Raises:
        OutputError: the folder cannot be written; no cut-off file is left there.
    """
    target = folder / ccx.PACKAGE_NAME
    elsewhere = "name another folder with --folder"
    try:
        with _package() as package:
            write_whole(target, package.read_bytes(), elsewhere)
    except OSError as error:  # where it is packed first
        raise refusal(target, error, elsewhere) from error
    return target


@contextlib.contextmanager
def _package() -> Iterator[Path]:
    """Give the .ccx that ships with this server; in a checkout it is packed on the spot."""
    shipped = Path(__file__).with_name(ccx.PACKAGE_NAME)
    if shipped.is_file():
        yield shipped
        return
    with tempfile.TemporaryDirectory() as folder:
        yield ccx.pack(Path(__file__).parents[3] / "photoshop_uxp", Path(folder))
