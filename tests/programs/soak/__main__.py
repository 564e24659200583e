"""``python -m soak``: run the sections, print tables, write JSON; the exit code is 1 if anything went wrong."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from colorize_server import __version__

from . import attack, faults, fuzz, load

SECTIONS = ("fuzz", "load", "faults", "attack")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--short", action="store_true", help="minutes instead of most of an hour")
    parser.add_argument("--only", choices=SECTIONS, nargs="+", default=SECTIONS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[3] / "bench-results" / "soak.json")
    parser.add_argument(
        "--budget", type=float, default=3600.0, metavar="SECONDS", help="longest time for the long fuzz"
    )
    args = parser.parse_args()
    report: dict[str, Any] = {
        "version": __version__,
        "form": "short" if args.short else "long",
        "machine": {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "sections": {},
    }
    for name in args.only:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        result = _run(name, is_short=args.short, budget_s=args.budget)
        result["elapsed_s"] = round(time.monotonic() - began, 1)
        report["sections"][name] = result
        _show(name, result)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=1))
    problems = [f"{name}: {problem}" for name, result in report["sections"].items() for problem in result["problems"]]
    for problem in problems:
        print(f"PROBLEM  {problem}")
    print(f"soak ({report['form']}): {'FAILED' if problems else 'passed'}; details in {args.output}")
    return bool(problems)


def _run(name: str, *, is_short: bool, budget_s: float) -> dict[str, Any]:
    match name:
        case "fuzz":
            if is_short:
                return fuzz.run(requests=600, least_requests=100, examples=12, budget_s=35)
            return fuzz.run(requests=20_000, least_requests=20_000, examples=300, budget_s=budget_s)
        case "load":
            if is_short:
                return load.run(clients=24, least_s=10, most_s=40, accepted_each=1)
            return load.run(clients=64, least_s=60, most_s=900, accepted_each=20)
        case "faults":
            return faults.run(with_slow=not is_short)
        case _:
            return attack.run()


def _show(name: str, result: dict[str, Any]) -> None:
    if name == "faults":
        for fault, lost, problems in result["faults"]:
            print(f"  {fault:<28} lost: {lost}{'  FAILED' if problems else ''}")
        return
    for key, value in result.items():
        if key in ("problems", "faults", "hangs"):
            continue
        if key.endswith("_bytes"):
            key, value = key.removesuffix("_bytes"), f"{value / 1e6:.0f} MB"
        elif isinstance(value, float):
            value = round(value, 3)
        print(f"  {key:<22} {value}")


if __name__ == "__main__":
    sys.exit(main())
