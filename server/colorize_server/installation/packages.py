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
    quoted = _quoted(_own(what.removeprefix(DISTRIBUTION)) if is_own else what)
    if "pipx" in folders:
        return f"pipx install --force {quoted}" if is_own else f"pipx inject {DISTRIBUTION} {quoted}"
    if {"uv", "tools"} <= folders:
        return f"uv tool install --force {quoted if is_own else f'--with {quoted} {_quoted(_own())}'}"
    return f"{_quoted(sys.executable)} -m pip install {quoted}"


def _own(extra: str = "") -> str:
    """Name this distribution, with an extra: by where it was installed from (PEP 610), or else as the index has it."""
    try:
        text = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        text = None
    record = json.loads(text) if text else {}
    url = str(record.get("url", ""))
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "file" and (path := Path(urllib.request.url2pathname(parts.path))).exists():
        return f"{path}{extra}"
    if "vcs_info" in record:
        return f"{DISTRIBUTION}{extra} @ {record['vcs_info']['vcs']}+{url}@{record['vcs_info']['commit_id']}"
    if "archive_info" in record and parts.scheme != "file":
        return f"{DISTRIBUTION}{extra} @ {url}"
    return f"{DISTRIBUTION}{extra}"


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
