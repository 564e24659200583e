"""``make bench``: ratios measured in one run, with the shipped model and default settings.

Each section is a module with ``run() -> dict``: plain numbers, and ``bars``: {name: [value, "<=" or ">=", limit]}.  The
runner prints every bar, writes all of it as JSON with the machine and the versions, and exits 1 if a bar is missed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

from colorize_server.model import load_model, shipped_model_path

from benchmarks.section import measure_apart

SECTIONS = ("startup", "picture", "memory", "archive", "backends", "training", "gimp", "page")
"""Modules of this folder.  A section that cannot run here says why in ``skipped`` (gimp: no GIMP root folder)."""
PACKAGES = ("numpy", "aiohttp", "pillow", "onnxruntime", "opencv-python-headless", "torch", "openvino")


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "model": load_model(shipped_model_path()).card.version,
        "packages": versions,
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def met(value: float, relation: str, limit: float) -> bool:
    """Return whether a bar is met."""
    return value <= limit if relation == "<=" else value >= limit


def escaped(text: str) -> str:
    """Return text with the characters that mean something in Markdown's tables escaped."""
    return re.sub(r"([*|])", r"\\\1", text)


def table(results: dict[str, Any]) -> str:
    """Return what was measured and its bars as a table for README.md, with what it was measured on."""
    words = {"<=": "at most", ">=": "at least"}
    rows = [
        f"| {escaped(bar)} | {value:.3g} | {words[relation]} {limit:g} |"
        for section in results["sections"].values()
        for bar, (value, relation, limit) in section.get("bars", {}).items()
    ]
    on = results["machine"]
    note = f"*{on['cores']} cores ({on['processor']}), model {on['model']}: ratios of one run, not times to expect.*"
    return "\n".join(["| what | measured | bar |", "|---|---|---|", *rows, "", note, ""])


def main() -> int:
    """Run the sections that were asked for, print and write what they measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", default=SECTIONS, help=f"of: {', '.join(SECTIONS)}")
    parser.add_argument("-o", "--output", type=Path, default=Path("bench-results/bench.json"))
    args = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "sections": {}}
    missed = 0
    for name in args.sections:
        began = time.monotonic()
        section = measure_apart(f"benchmarks.{name}")
        results["sections"][name] = section
        print(f"\n{name}  ({time.monotonic() - began:.0f} s)")
        if "skipped" in section:
            print(f"  skipped: {section['skipped']}")
        for key, value in section.items():
            if key not in ("bars", "skipped"):
                print(f"  {key}: {json.dumps(value)}")
        for bar, (value, relation, limit) in section.get("bars", {}).items():
            ok = met(value, relation, limit)
            missed += not ok
            print(f"  {'ok    ' if ok else 'MISSED'} {bar}: {value:.3g} {relation} {limit:g}")
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(results, indent=1) + "\n")
    args.output.with_suffix(".md").write_text(table(results))
    print(f"\n{args.output} and its table (.md) written; {missed} bar(s) missed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
