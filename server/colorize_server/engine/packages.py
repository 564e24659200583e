"""Optional packages: which versions are installed, and the command that installs them into this installation."""

import importlib.metadata
import json
import shlex
import sys
import urllib.parse
import urllib.request
from pathlib import Path

DISTRIBUTION = "colorize-server"


def install_command(what: str) -> str:
    """Return the command that installs `what`, for the way in which this colorize-server was installed.

    Args:
        what: ``colorize-server``, ``colorize-server[extra]``, or another package.
    """
    folders = {part.lower() for part in Path(sys.prefix).parts}
    is_own = what.partition("[")[0] == DISTRIBUTION
    source = _installed_from()
    quoted = _quoted(source + what.removeprefix(DISTRIBUTION) if is_own else what)
    if "pipx" in folders:
        return f"pipx install --force {quoted}" if is_own else f"pipx inject {DISTRIBUTION} {quoted}"
    if {"uv", "tools"} <= folders:
        return f"uv tool install --force {quoted if is_own else f'--with {quoted} {_quoted(source)}'}"
    return f"{_quoted(sys.executable)} -m pip install {quoted}"


def _installed_from() -> str:
    """Return the wheel or folder that this was installed from (PEP 610), or else its name on the package index."""
    try:
        record = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        record = None
    url = urllib.parse.urlsplit(str(json.loads(record).get("url", "")) if record else "")
    path = Path(urllib.request.url2pathname(url.path)) if url.scheme == "file" else None
    return str(path) if path and path.exists() else DISTRIBUTION


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
