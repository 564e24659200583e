"""The scenarios of the Photoshop panel as Python sees them: what they need, what they are called, what they leave."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[2]
OLDEST_NODE: Final = 20


def missing_tool(chromium: str) -> str:
    """Return what is not there, or an empty string."""
    if shutil.which("node") is None:
        return "Node is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        return f"Node {OLDEST_NODE} or later is needed, this is {version.strip()}"
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        return "the npm packages are not installed; make test-photoshop does it"
    if not Path(chromium).exists():
        return f"{chromium} is not there; make test-photoshop installs it"
    return ""


def scenario_names() -> list[str]:
    """Return the names of all scenarios and negative controls; none where Node or its packages are missing."""
    if missing_tool(str(HERE)):  # to be listed they need no browser
        return []
    listed = subprocess.run(
        ["node", "scenarios/run.mjs", "--list"], cwd=HERE, capture_output=True, text=True, check=True, timeout=60
    )
    return list(json.loads(listed.stdout))


def scenario_folder(scenario: str) -> str:
    """Return the folder's name, as run.mjs makes it."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", scenario).strip("-")


@dataclass(frozen=True)
class Evidence:
    """What the scenarios left.

    Attributes:
        folder: a folder for each scenario.
        results: by name: failure (text or None) and seconds.
    """

    folder: Path
    results: dict[str, dict[str, object]]

    def of(self, scenario: str) -> Path:
        """Return the folder of a scenario that must have passed."""
        assert self.results[scenario]["failure"] is None, f"the scenario failed: {self.results[scenario]['failure']}"
        return self.folder / scenario_folder(scenario)
