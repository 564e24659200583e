"""``colorize-server token``: renew the token of this installation."""

import argparse
import time
from typing import Any, Final

from ..errors import ColorizeError
from ..installation.probe import Who, find_daemon, local_address, probe
from ..installation.state import StateFolder

_TIMEOUT_S: Final = 10.0


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "token",
        help="make a new secret code",
        description="Makes a new code; programs that were paired need to be paired again.",
    )
    parser.add_argument(
        "--rotate", action="store_true", required=True, help="make a new code; the old one is refused from then on"
    )


def run(args: argparse.Namespace) -> int:
    """Rotate the token and wait until a running daemon has taken it over."""
    folder = StateFolder()
    folder.prepare()
    running = find_daemon(folder)
    token = folder.rotate_token()
    if running is not None:
        host, port = local_address(running[0].host), running[0].port
        end = time.monotonic() + _TIMEOUT_S
        while probe(host, port, token).who is Who.OTHER:
            if time.monotonic() > end:
                raise ColorizeError(
                    "The running server has not taken the new code over.", "Stop it and start it again."
                )
            time.sleep(0.1)
    print("A new code was made.  GIMP finds it by itself; for Photoshop run `colorize-server pair photoshop`.")
    return 0
