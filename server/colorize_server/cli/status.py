"""``colorize-server status``: whether the daemon runs, and how it is."""

import argparse
import json
from typing import Any

from ..errors import ColorizeError
from ..installation.state import StateFolder
from .own_models import chosen_name
from .running import describe_ports, find_running


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "status", help="say whether the server runs", description="Says whether the server runs, and what computes."
    )
    parser.add_argument(
        "--json", action="store_true", help="print what the server says of itself as JSON, for programs"
    )


def run(args: argparse.Namespace) -> int:
    """Print the status; the exit code is 0 if the daemon is ready, 3 if it does not run, 1 otherwise.

    Raises:
        ColorizeError: it runs and does not answer.
    """
    folder = StateFolder()
    try:
        running = find_running(folder)
    except ColorizeError:
        if not args.json:
            raise
        print(json.dumps({"state": "hung"}))
        return 1
    if running is None and args.json:
        print(json.dumps({"state": "not running"}))
        return 3
    if running is None:
        print("colorize-server does not run.")
        for line in _default_model():
            print(line)
        for line in describe_ports(folder.known_token() or ""):
            print(line)
        return 3
    state, found = running
    health = found.health
    if args.json:
        print(json.dumps(health, indent=1))
    else:
        print(f"colorize-server {state.version} runs on port {state.port} (process {state.pid}).")
        for line in [*_lines(health), *_default_model()]:
            print(line)
        print(f"Log: {folder.log_file}")
    return 0 if health.get("ready") else 1


def _default_model() -> list[str]:
    """Name the model that was chosen as the default, which the next start takes."""
    name = chosen_name()
    return [] if name is None else [f"Default model: {name}"]


def _lines(health: dict[str, Any]) -> list[str]:
    backend, model, queue = health["backend"], health["model"], health["queue"]
    lines = []
    is_starting = health["state"] == "starting"
    if is_starting:
        lines.append("It is loading its model again." if "error" in health else "It is still loading its model.")
    if "error" in health:
        cannot = "could not" if is_starting else "cannot"
        lines.append(f"It {cannot} colorize: {health['error']['message']} {health['error']['hint']}")
    if model is not None:
        lines.append(f"Model: {model['name']} {model['version']} ({model['sha256'][:12]})")
    if backend["active"] is not None:
        lines.append(f"Computes with {backend['active']} on {backend['device']}: {backend['reason']}")
    lines.append(f"Pictures under way: {queue['running']}, waiting: {queue['length']}")
    return lines
