"""The page's files and routes."""

from importlib.resources import files
from typing import Final

from aiohttp import web

from ..failures import HEADERS
from . import handlers
from .access import FILES_PATH, PAGE_PATH, ROUTES

_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Content Security Policy, level 3: own script and style, nothing inline, no other address."""
_PAGE_HEADERS: Final = {
    **HEADERS,
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def _read_files() -> dict[str, bytes]:
    folder = files(__package__) / "static"
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(tuple(_TYPES))}


_FILES: Final = _read_files()
"""Read once: what is served is what was installed, and no request reaches a disk."""


def page_routes() -> list[web.RouteDef]:
    """Return the page's files, each at its own address and no folder, and its routes."""
    routes = [_file(content, name) for name, content in sorted(_FILES.items())]
    answers = (
        handlers.key,
        handlers.proof,
        handlers.about,
        handlers.photograph,
        handlers.colours,
        handlers.suggest,
        handlers.export,
        handlers.close,
    )
    routes += [web.post(ROUTES + answer.__name__, answer) for answer in answers]
    return [web.post("/v1/pages", handlers.make_code), *routes]


def _file(content: bytes, name: str) -> web.RouteDef:
    media_type = _TYPES["." + name.rpartition(".")[2]]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=media_type, charset="utf-8", headers=_PAGE_HEADERS)

    return web.get(PAGE_PATH if name == "index.html" else FILES_PATH + name, answer)
