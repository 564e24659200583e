"""Fixtures for the tests of the Photoshop panel: its tools, and one run of the scenarios."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from panel_scenarios import Evidence, missing_tool  # noqa: E402 - the path comes first
from sample_pictures import prepare  # noqa: E402
from tiny_model import write_tiny_model  # noqa: E402

REQUIRE_VARIABLE: Final = "COLORIZE_REQUIRE_PHOTOSHOP"
CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SCENARIOS_TIMEOUT_S: Final = 900


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip, or in CI fail, where a tool is missing."""
    reason = missing_tool(CHROMIUM)
    if reason and os.environ.get(REQUIRE_VARIABLE):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def evidence(tools: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Run the scenarios that the selected tests ask for, all in one go."""
    wanted = {
        item.callspec.params["scenario"]
        for item in request.session.items
        if hasattr(item, "callspec") and "scenario" in item.callspec.params
    }
    folder = tmp_path_factory.mktemp("photoshop")
    prepare(folder)
    write_tiny_model(folder / "tiny.onnx", suggests=True)
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
