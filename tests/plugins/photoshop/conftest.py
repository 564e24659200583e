"""What the tests of the Photoshop panel need: Node, the npm packages, Chromium, and one run of the scenarios."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[2]
sys.path[:0] = [str(HERE), str(REPOSITORY / "tests")]

from photographs import prepare  # noqa: E402 - the path comes first
from tiny_model import write_tiny_model  # noqa: E402

REQUIRE_VARIABLE: Final = "COLORIZE_REQUIRE_PHOTOSHOP"
CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SCENARIOS_TIMEOUT_S: Final = 900


def missing_tool() -> str:
    """Return what is not there, or an empty string."""
    if shutil.which("node") is None:
        return "Node is not installed"
    if not (HERE / "node_modules" / "playwright-core").is_dir():
        return "the npm packages are not installed; make test-photoshop does it"
    if not Path(CHROMIUM).exists():
        return f"{CHROMIUM} is not there; make test-photoshop installs it"
    return ""


def scenario_names() -> list[str]:
    """Return the names of all scenarios and negative controls; none where Node is missing."""
    if missing_tool():
        return []
    listed = subprocess.run(
        ["node", "scenarios/run.mjs", "--list"], cwd=HERE, capture_output=True, text=True, check=True, timeout=60
    )
    return list(json.loads(listed.stdout))


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip, or in CI fail, where a tool is missing."""
    reason = missing_tool()
    if reason and os.environ.get(REQUIRE_VARIABLE):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


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


def scenario_folder(scenario: str) -> str:
    """Return the folder's name, as run.mjs makes it."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", scenario).strip("-")


@pytest.fixture(scope="session")
def evidence(tools: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Run the scenarios that the selected tests ask for, all in one go."""
    wanted = {
        item.callspec.params["scenario"]
        for item in request.session.items
        if hasattr(item, "callspec") and "scenario" in item.callspec.params
    }
    folder = tmp_path_factory.mktemp("photoshop")
    prepare(folder / "photographs")
    write_tiny_model(folder / "tiny.onnx")
    run = subprocess.run(
        ["node", "scenarios/run.mjs", "--out", str(folder), *sorted(wanted)],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=SCENARIOS_TIMEOUT_S,
        env={**os.environ, "PYTHON": sys.executable, "CHROMIUM": CHROMIUM, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)
    return Evidence(folder, json.loads((folder / "results.json").read_text()))
