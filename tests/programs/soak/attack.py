"""Attacks: the list that the tests have, against the daemon as it is installed, with default settings."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "fixtures"))

from attacks import ATTACKS, check_answer

from .target import exchange, running

WITHIN_LIMITS = ("bomb in WebP",)
"""The largest WebP that there can be is smaller than what the daemon takes by default; its decoder refuses this one."""


def run() -> dict[str, Any]:
    """Send each request, and see that it is refused and that the daemon is as it was."""
    problems = []
    with running() as target:
        before = target.child.pid
        for attack in ATTACKS:
            received = exchange(target.port, attack.request(target.port, target.token), 30)
            expected = replace(attack, status=422, code="damaged_picture") if attack.name in WITHIN_LIMITS else attack
            fault = "no answer" if received is None else check_answer(expected, received)
            if fault:
                problems.append(f"{attack.name}: {fault}")
            elif received and target.token.encode() in received:
                problems.append(f"{attack.name}: the answer holds the token")
        if target.child.pid != before:
            problems.append("the inference process had to be replaced")
        if target.ask("GET", "/v1/health").status != 200:
            problems.append("health does not answer")
        if target.token in target.log():
            problems.append("the log holds the token")
    return {"attacks": len(ATTACKS), "refused": len(ATTACKS) - len(problems), "problems": problems}
