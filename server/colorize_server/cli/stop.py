"""``colorize-server stop``: end the daemon, after what it has under way."""

import argparse
from typing import Any, Final

from ..installation.state import StateFolder
from .running import describe_ports, find_running, stop_and_wait

_TIMEOUT_S: Final = 120.0


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    subparsers.add_parser(
        "stop", help="end the server", description="Ends the server, after the picture it is working on."
    )


def run(args: argparse.Namespace) -> int:
    """Stop the daemon."""
    folder = StateFolder()
    running = find_running(folder)
    if running is None:
        print("colorize-server does not run.")
        for line in describe_ports(folder.known_token() or ""):
            print(line)
        return 0
    if running[1].health["queue"]["running"]:
        print("Waiting for the picture under way.", flush=True)
    stop_and_wait(running[0], folder, _TIMEOUT_S)
    print("colorize-server has ended.")
    return 0
