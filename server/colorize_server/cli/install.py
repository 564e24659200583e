"""``colorize-server install gimp|photoshop``: put a plug-in where its host looks for it."""

import argparse
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Final

from ..errors import ColorizeError
from ..install import gimp, photoshop

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

HOSTS: Final[dict[str, tuple[ModuleType, str]]] = {
    "gimp": (gimp, "the plug-in for GIMP 3.0 and later"),
    "photoshop": (photoshop, "the panel for Photoshop 25.2 and later"),
}
"""Host -> its module, which has ``add_arguments(parser)`` and ``run(args) -> int``, and a line of help."""


def add_parser(subparsers: "Subparsers") -> None:
    """Add the command ``install`` to those of ``colorize-server``."""
    parser = subparsers.add_parser(
        "install",
        help="put the plug-in into GIMP or Photoshop",
        description="Put the plug-in where the program finds it, or take it out again.",
    )
    hosts = parser.add_subparsers(dest="program", required=True, metavar="PROGRAM")
    for name, (module, help_text) in HOSTS.items():
        host = hosts.add_parser(name, help=help_text, description=f"Install {help_text}.")
        host.add_argument("--uninstall", action="store_true", help="take the plug-in out again")
        module.add_arguments(host)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Install or uninstall; returns the exit code."""
    module, _ = HOSTS[args.program]
    try:
        return int(module.run(args))
    except ColorizeError as error:
        print(error, file=sys.stderr)
        return 1
