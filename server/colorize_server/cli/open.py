"""``colorize-server open``: the page, in the browser."""

import argparse
import http.client
import secrets
import webbrowser
from typing import Any, Final

from ..errors import ColorizeError
from ..installation.probe import ask_for_page_code, find_daemon, local_address
from ..installation.state import StateFolder

_REDIRECT: Final = """\
<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}">
<title>Colorize</title>
"""
_PATTERN: Final = "open-*.html"


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "open",
        help="colour a photograph in the browser",
        description="Opens the page of this server in your browser; starts the server if it does not run.  "
        "The page is for this computer and one tab only.",
    )
    parser.add_argument(
        "--print-url",
        action="store_true",
        help="print the address instead, for a browser that cannot be opened from here; it works once, for one minute",
    )


def run(args: argparse.Namespace) -> int:
    """Open the page."""
    folder = StateFolder()
    running = find_daemon(folder)
    if running is None:
        from .main import main

        if main(["start", "--background"]) != 0:
            return 1
        running = find_daemon(folder)
        if running is None:
            raise ColorizeError("The server has ended again.", "Run `colorize-server start` to see why.")
    state = running[0]
    try:
        code = ask_for_page_code(state)
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise ColorizeError(
            "The server that runs does not know this page.", "Run `colorize-server stop`, then this command again."
        ) from error
    host = local_address(state.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{state.port}/#code={code}"
    if args.print_url:
        print(url)
        return 0
    # By a file that only this user can read: what stands on a command line, every program on this computer can see.
    for old in folder.path.glob(_PATTERN):
        old.unlink(missing_ok=True)
    file = folder.path / _PATTERN.replace("*", secrets.token_hex(8))
    folder.write(file, _REDIRECT.format(url=url).encode())
    if not webbrowser.open(file.as_uri()):
        file.unlink(missing_ok=True)
        raise ColorizeError(
            "No browser could be opened.", "Run `colorize-server open --print-url` and open the address that it prints."
        )
    print("The page opens in your browser.")
    return 0
