"""What may reach the page: its files, and its routes with a key; checked before anything else looks at a request.

The rules rest on what a browser says by itself and no page can change: Host, Origin and the fetch metadata (W3C).
"""

from typing import Final

from aiohttp import web

from ...errors import RefusedError
from ...installation.probe import TOKEN_HEADER

KEY_HEADER: Final = "X-Colorize-Page"
ROUTES: Final = "/v1/page/"
PAGE_PATH: Final = "/"
FILES_PATH: Final = "/page/"
WITHOUT_KEY: Final = (ROUTES + "key", ROUTES + "proof")
"""The routes by which a tab gets its key, and finds out that it speaks with the daemon that gave it."""


def is_file(path: str) -> bool:
    """Tell whether a path is one of the page's files (or of those that there might be)."""
    return path == PAGE_PATH or path.startswith(FILES_PATH)


def is_route(path: str) -> bool:
    """Tell whether a path is one of the page's routes."""
    return path.startswith(ROUTES)


def check_file(request: web.Request) -> None:
    """Refuse files to other pages; a person may come from anywhere, or the page could not be opened.

    Raises:
        RefusedError: if another page asks, or embeds.
    """
    site = request.headers.getall("Sec-Fetch-Site", ["none"])
    origins = request.headers.getall("Origin", [])
    if site in (["none"], ["same-origin"]) and all(origin == _own(request) for origin in origins):
        return
    mode = request.headers.getall("Sec-Fetch-Mode", [])
    target = request.headers.getall("Sec-Fetch-Dest", [])
    is_visit = mode == ["navigate"] and target == ["document"] and request.path == PAGE_PATH and not origins
    if not is_visit or request.method != "GET":
        raise _refused()


def check_route(request: web.Request) -> None:
    """Refuse whoever is not the page itself, in a browser that says so.

    Raises:
        RefusedError: if another page, another program, or a browser without fetch metadata asks.
    """
    is_own = request.headers.getall("Origin", []) == [_own(request)]
    if not is_own or request.headers.getall("Sec-Fetch-Site", []) != ["same-origin"]:
        raise _refused()
    if TOKEN_HEADER in request.headers:  # no page has it; one that does has stolen it
        raise _refused()


def page_key(request: web.Request) -> str:
    """Return the key that a request brings.

    Raises:
        RefusedError: if it brings none, or two.
    """
    keys = request.headers.getall(KEY_HEADER, [])
    if len(keys) != 1:
        raise wrong_key()
    return keys[0]


def wrong_key() -> RefusedError:
    """Return what a tab gets whose key is not, or no longer, known."""
    return RefusedError(
        "This page is not connected to the server any more.",
        "Run `colorize-server open` again; what you have painted stays in this tab.",
        code="page_key_wrong",
        status=401,
    )


def _own(request: web.Request) -> str:
    return f"http://{request.headers['Host'].lower()}"


def _refused() -> RefusedError:
    return RefusedError(
        "Other web pages may not use this server.",
        "Open the page with `colorize-server open`.",
        code="origin_refused",
        status=403,
    )
