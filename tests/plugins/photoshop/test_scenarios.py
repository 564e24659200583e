"""The panel in the fake Photoshop host, with the real server: one test for each scenario and each negative control."""

from typing import Any

import pytest
from panel_scenarios import scenario_names

pytestmark = [pytest.mark.photoshop, pytest.mark.timeout(900)]

NAMES = scenario_names()


@pytest.mark.parametrize("scenario", NAMES or ["plain"])
def test_scenario(evidence: Any, scenario: str) -> None:
    """See scenarios/*.mjs; a control ("without: ...") passes if the panel fails without that guard."""
    failure = evidence.results[scenario]["failure"]
    assert failure is None, failure


def test_every_refusal_has_a_control(tools: None) -> None:
    """There are many of both, and each control names a scenario that exists (run.mjs would fail otherwise)."""
    controls = [name for name in NAMES if name.startswith("without: ")]
    assert len(NAMES) - len(controls) >= 70
    assert len(controls) >= 40
