"""``colorize-server``: the daemon and everything around it.

Each subcommand is a module of this package with ``add_parser(subparsers)`` and ``run(args) -> int``; only the one that
is asked for is imported, so that ``start`` does not wait for what it does not need.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final, Protocol

from .. import __version__
from ..errors import ColorizeError
from ..interrupts import STOPPED, raise_again

Subparsers = Any  # argparse gives its class no public name

COMMANDS: Final = ("start", "open", "stop", "status", "pair", "token", "model", "install", "doctor", "selftest")
"""Names of the subcommands' modules, in the order of the help page."""

_DESCRIPTION: Final = """\
The colorize server adds colour to black-and-white photographs for the plug-ins in GIMP and Photoshop.
It runs on this computer only: no picture ever leaves it.
"""


class Command(Protocol):
    """A subcommand's module."""

    def add_parser(self, subparsers: Subparsers) -> None:
        """Describe the subcommand's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Run it; the value is the process's exit code."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the value is the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="colorize-server", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"colorize-server {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands = {name: _command(name) for name in COMMANDS if not words or words[0] not in COMMANDS or words[0] == name}
    for command in commands.values():
        if command is not None:
            command.add_parser(subparsers)
    try:
        args = parser.parse_args(words)
        chosen = commands[args.command]
        assert chosen is not None  # noqa: S101 - argparse knows only the commands that are there
        raise_again()
        return chosen.run(args)
    except ColorizeError as error:
        print(f"colorize-server: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorize-server: stopped.", file=sys.stderr)
        return STOPPED


def _command(name: str) -> Command | None:
    """Return a subcommand's module, or None where this installation has none."""
    module = f"{__package__}.{name}"
    try:
        command: Command = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return None
    return command


if __name__ == "__main__":
    sys.exit(main())
