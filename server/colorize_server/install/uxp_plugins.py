"""Which plug-ins Adobe's installer has put into Photoshop: read from the lists that Photoshop reads when it starts.

Adobe documents neither the folders nor the lists: they are described here as other tools that install plug-ins know
them.  A panel that the UXP Developer Tool loads stands in no list.
"""

import json
import os
import sys
from pathlib import Path
from typing import Final

from ..folders import home_folder

PANEL_ID: Final = "org.colorize-server.panel"
"""``id`` in the panel's manifest."""
_LIST: Final = Path("PluginsInfo", "v1", "PS.json")
_OF_PHOTOSHOP: Final = (_LIST, Path("PluginsStorage", "PHSP"))
"""What lies in a UXP folder that Photoshop has used; other programs of Adobe's share that folder."""


def uxp_folders() -> list[Path]:
    """Return where plug-ins of this user, and those of all users, are kept; empty where there is no Photoshop."""
    if sys.platform == "win32":
        roots = [os.environ.get("APPDATA"), os.environ.get("COMMONPROGRAMFILES")]
        return [Path(root, "Adobe", "UXP") for root in roots if root]
    if sys.platform == "darwin":
        library = Path("Library", "Application Support", "Adobe", "UXP")
        return [home_folder() / library, Path("/") / library]
    return []


def has_photoshop() -> bool:
    """Whether a Photoshop that knows UXP has been used here."""
    return any((folder / mark).exists() for folder in uxp_folders() for mark in _OF_PHOTOSHOP)


def panel_version() -> str | None:
    """Return the version of the panel that Photoshop loads, or None if it loads none.

    Raises:
        ValueError: a list of plug-ins is there and cannot be understood.
        OSError: it cannot be read.
    """
    for folder in uxp_folders():
        try:
            members = json.loads((folder / _LIST).read_bytes())
        except FileNotFoundError:
            continue
        try:
            rows = [row for row in members["plugins"] if row["pluginId"] == PANEL_ID and row["status"] == "enabled"]
            if rows:
                return str(rows[0]["versionString"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder / _LIST} is no list of plug-ins") from error
    return None
