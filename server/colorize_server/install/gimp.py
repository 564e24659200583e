"""Install the GIMP 3 plug-in into the user's GIMP profiles, and take it out again."""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import PRODUCT, __version__
from ..errors import OutputError
from ..folders import home_folder
from ..installation.state import StateFolder

NAME: Final = "colorize"
"""Name of the plug-in's folder; GIMP wants the script in it to be named alike."""

SCRIPT: Final = f"{NAME}.py"
RECORD: Final = "server.json"
PROFILE_VARIABLE: Final = "GIMP3_DIRECTORY"
NEEDED: Final = (3, 0)
FLATPAK_NOTE: Final = (
    "GIMP from Flatpak may only start the server if you allow it:\n"
    "    flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP\n"
    "Otherwise run 'colorize-server start' yourself before you colorize."
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A folder in which some GIMP keeps a user's settings and plug-ins.

    Attributes:
        folder: the profile.
        version: major and minor version of the GIMP that made it.
        is_flatpak: whether that GIMP runs in Flatpak's sandbox.
    """

    folder: Path
    version: tuple[int, int]
    is_flatpak: bool = False

    @property
    def plug_in(self) -> Path:
        """Where the plug-in goes."""
        return self.folder / "plug-ins" / NAME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``colorize-server install gimp``."""
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="GIMP's plug-in folder, for a GIMP that is not found by itself"
    )


def run(args: argparse.Namespace) -> int:
    """Install or uninstall as the arguments say; prints what it did."""
    targets = [args.folder / NAME] if args.folder else [profile.plug_in for profile in find_profiles()]
    if args.uninstall:
        removed = [target for target in targets if uninstall(target)]
        for target in removed:
            print(f"Removed {target}")  # noqa: T201
        if not removed:
            print("The GIMP plug-in was not installed.")  # noqa: T201
        return 0
    if not targets:
        raise _no_gimp()
    for target in targets:
        install(target)
        print(f"Installed the GIMP plug-in in {target}")  # noqa: T201
    if not args.folder and any(profile.is_flatpak for profile in find_profiles()):
        print(FLATPAK_NOTE)  # noqa: T201
    print("Restart GIMP; the plug-in is in the menu Filters > Colorize, and starts the server by itself.")  # noqa: T201
    return 0


def find_profiles() -> list[Profile]:
    """Return the profiles of every GIMP 3 of this user, oldest version first."""
    return [profile for profile in _all_profiles() if profile.version >= NEEDED]


def _all_profiles() -> list[Profile]:
    """Return the profiles of every GIMP of this user, GIMP 2 too."""
    named = os.environ.get(PROFILE_VARIABLE)
    if named:
        # As GIMP does: a relative name is one in the home folder.
        return [Profile(home_folder() / named, NEEDED)]
    found = []
    for parent in _profile_parents():
        with contextlib.suppress(OSError):
            for folder in parent.iterdir():
                match = re.fullmatch(r"(\d+)\.(\d+)", folder.name)
                if match and folder.is_dir():
                    version = (int(match[1]), int(match[2]))
                    found.append(Profile(folder, version, is_flatpak=".var" in parent.parts))
    return sorted(found, key=lambda profile: (profile.version, str(profile.folder)))


def _profile_parents() -> Iterator[Path]:
    """Yield the folders in which GIMPs keep a profile for each version."""
    home = home_folder()
    if sys.platform == "win32":
        yield Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "GIMP"
    elif sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "GIMP"
    else:
        yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "GIMP"
        yield home / ".var" / "app" / "org.gimp.GIMP" / "config" / "GIMP"
        yield home / "snap" / "gimp" / "current" / ".config" / "GIMP"


def _no_gimp() -> OutputError:
    """Say why there is nothing to install into."""
    needed = "Install GIMP 3.0 or later, start it once so that it makes its folders, then run this command again."
    old = _old_gimp()
    if old:
        return OutputError(f"GIMP {old} was found, but the plug-in needs GIMP 3.0.", needed, code="not_writable")
    return OutputError(
        "No folder of a GIMP 3 was found.",
        "Start GIMP 3 once so that it makes its folders, then run this command again; "
        "or name its plug-in folder (GIMP: Edit > Preferences > Folders > Plug-ins) with --folder.",
        code="not_writable",
    )


def _old_gimp() -> str:
    """Return the version of an installed GIMP 2, empty if there is none."""
    old = [profile.version for profile in _all_profiles() if profile.version < NEEDED]
    if old:
        return f"{old[-1][0]}.{old[-1][1]}"
    program = shutil.which("gimp")
    if program is None:
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        output = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - GIMP
        match = re.search(r"\b(2\.\d+)", output.stdout)
        if match:
            return match[1]
    return ""


def plug_in_source() -> Path:
    """Return the folder of the plug-in that ships with this server."""
    packaged = Path(__file__).with_name("gimp_plugin") / NAME
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[3] / "gimp_plugin" / NAME


def start_command() -> list[str]:
    """Return the program and first arguments by which this installation's server is run."""
    # Not the script on PATH: GIMP's PATH is another one, and the script may move with an update of pipx or uv.
    return [sys.executable, "-P", "-m", "colorize_server.cli.main"]


def install(target: Path) -> None:
    """Copy the plug-in to `target`, whole or not at all, and record how the server is started.

    Raises:
        OutputError: if the folder cannot be written, or holds another plug-in of that name.
    """
    _refuse_foreign(target)
    temporary = target.with_name(f".{NAME}-{os.getpid()}")
    record = {
        "product": PRODUCT,
        "version": __version__,
        "command": start_command(),
        "state_file": str(StateFolder().state_file.absolute()),
    }
    with _in_words(target):
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Modules, translations and help; what Python left beside them is another machine's.
            left_out = shutil.ignore_patterns("__pycache__", "*.po", RECORD)
            shutil.copytree(plug_in_source(), temporary, ignore=left_out, copy_function=shutil.copyfile)
            (temporary / SCRIPT).chmod(0o755)  # GIMP passes over a script that is not executable, without a word
            (temporary / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
            _remove(target)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def uninstall(target: Path) -> bool:
    """Remove the plug-in from `target`; returns whether it was there.

    Raises:
        OutputError: if it cannot be removed, or the folder holds another plug-in of that name.
    """
    if not target.exists():
        return False
    _refuse_foreign(target)
    with _in_words(target):
        _remove(target)
    return True


def _remove(folder: Path) -> None:
    if folder.exists():
        # Renamed first, so that GIMP never finds half a plug-in.
        doomed = folder.with_name(f".{NAME}-old-{os.getpid()}")
        folder.rename(doomed)
        shutil.rmtree(doomed)


def _refuse_foreign(target: Path) -> None:
    if target.exists() and not (target / RECORD).is_file() and any(target.iterdir()):
        raise OutputError(
            f"{target} holds something that colorize-server did not put there.",
            "Move it away, then run this command again.",
            code="not_writable",
        )


@contextlib.contextmanager
def _in_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target} cannot be changed ({error.strerror or error}).",
            "Close GIMP, make the folder writable, then run this command again.",
            code="not_writable",
        ) from error
