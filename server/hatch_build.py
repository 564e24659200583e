"""Build hook: packs the Photoshop panel, so that every wheel carries the .ccx of its own sources."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PanelBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts colorize_server/install/colorize-panel.ccx into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Pack the panel before the wheel is written; an editable install packs it when it is asked for."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "server"))
        try:
            # Needs the standard library only: nothing else is installed while a wheel is built.
            from colorize_server.install import ccx
        finally:
            sys.path.pop(0)
        self._folder = tempfile.TemporaryDirectory()
        archive = ccx.pack(root / "photoshop_uxp", Path(self._folder.name))
        build_data["force_include"][str(archive)] = f"colorize_server/install/{ccx.PACKAGE_NAME}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary archive."""
        del build_data, artifact_path
        if version != "editable":
            self._folder.cleanup()
