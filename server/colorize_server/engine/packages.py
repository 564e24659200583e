"""Optional packages: which versions are installed, and the command that installs them into this installation."""

import importlib.metadata
import shlex
import sys
from pathlib import Path

DISTRIBUTION = "colorize-server"


def install_command(what: str) -> str:
    """Return the command that installs `what`, for the way in which this colorize-server was installed.

    Args:
        what: ``colorize-server[extra]``, or another package.
    """
    folders = {part.lower() for part in Path(sys.prefix).parts}
    quoted = _quoted(what)
    is_extra = what.startswith(f"{DISTRIBUTION}[")
    if "pipx" in folders:
        return f"pipx install --force {quoted}" if is_extra else f"pipx inject {DISTRIBUTION} {quoted}"
    if {"uv", "tools"} <= folders:
        return f"uv tool install --force {quoted if is_extra else f'--with {quoted} {DISTRIBUTION}'}"
    return f"{_quoted(sys.executable)} -m pip install {quoted}"


def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _quoted(word: str) -> str:
    """Quote a word for the shell of this system."""
    if sys.platform == "win32":
        return f'"{word}"' if any(c in word for c in " []()&^") else word
    return shlex.quote(word)
