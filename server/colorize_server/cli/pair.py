"""``colorize-server pair photoshop``: show the token once, to be pasted into the panel."""

import argparse
from typing import Any

from ..installation.state import StateFolder


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "pair",
        help="show the code that connects Photoshop",
        description="Shows the code that connects the panel in Photoshop with this server.  GIMP finds it by itself.",
    )
    parser.add_argument("program", choices=["photoshop"], help="which program to connect")


def run(args: argparse.Namespace) -> int:
    """Print the token."""
    folder = StateFolder()
    folder.prepare()
    print("Paste this code into the panel's settings in Photoshop:")
    print()
    print(f"    {folder.token()}")
    print()
    print("Whoever has it can use this server.  `colorize-server token --rotate` makes a new one.")
    return 0
