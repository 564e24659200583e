"""Who may ask: Host, Origin and token of every request, before anything else looks at it."""

import hmac
import ipaddress
import re
import time
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from ..errors import BadRequestError, RefusedError
from ..installation.probe import CLIENT_HEADER, TOKEN_HEADER, health_proof, local_address
from .keys import ACCESS, ACTIVITY, CLIENT, PAGE_KEYS, PAGE_SESSION, Access
from .page.access import WITHOUT_KEY, check_file, check_route, is_file, is_route, page_key, wrong_key

HEALTH_PATH: Final = "/v1/health"
CLIENT_PATTERN: Final = re.compile(r"[A-Za-z0-9._/-]{1,64}", re.ASCII)
NONCE_PATTERN: Final = re.compile(r"[0-9A-Fa-f]{16,128}", re.ASCII)
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def proof_of(token: str, nonce: str, port: int) -> str:
    """Return what shows that we know the token, without showing it, for whoever asked on our port.

    The port is part of it, so that a stranger on another one cannot fetch our proof and hand it on as its own.

    Raises:
        BadRequestError: if the nonce is not one.
    """
    check_nonce(nonce)
    return health_proof(token, nonce, port)


def check_nonce(nonce: str) -> None:
    """Refuse what is no nonce.

    Raises:
        BadRequestError: if it is none.
    """
    if not NONCE_PATTERN.fullmatch(nonce):
        raise BadRequestError(
            "The nonce must be 16 to 128 hexadecimal digits.", "Make a new random one for each question."
        )


@web.middleware
async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request that a web page, or anyone without the token, could have sent."""
    access = request.app[ACCESS]
    _check_host(request, access)
    if is_file(request.path):
        check_file(request)
    elif is_route(request.path):
        _check_page(request)
    else:
        _check_origin(request)
        if request.path != HEALTH_PATH:
            _check_token(request, access.token())
        request[CLIENT] = _client(request)
    try:
        return await handler(request)
    finally:
        if request.path != HEALTH_PATH and not is_file(request.path):
            request.app[ACTIVITY].last = time.monotonic()


def _check_page(request: web.Request) -> None:
    """Refuse whoever is not a tab with a key; the two routes by which it gets one need none."""
    check_route(request)
    if request.path in WITHOUT_KEY:
        return
    key = page_key(request)
    session = request.app[PAGE_KEYS].holder(key)
    if session is None:
        raise wrong_key()
    request[PAGE_SESSION] = session
    request[CLIENT] = f"page/{key.partition('.')[0]}"


def _check_host(request: web.Request, access: Access) -> None:
    """Refuse names that are not ours: a page of a rebound name is of the same origin as we are, to its browser."""
    hosts = request.headers.getall("Host", [])
    # A target with a host in it ("GET http://name/ HTTP/1.1") overrules the header in some servers; ours takes none.
    if len(hosts) != 1 or not request.raw_path.startswith("/") or not _is_ours(hosts[0].lower(), access):
        raise RefusedError(
            "The request was not addressed to this server.",
            f"Use http://{_in_address(local_address(access.host))}:{access.port}.",
            code="host_refused",
            status=403,
        )


def _is_ours(host: str, access: Access) -> bool:
    name, _, port = host.rpartition(":")
    if port != str(access.port):
        return False
    if name in _LOOPBACK_NAMES or name == _in_address(access.host.lower()):
        return True
    if not access.allow_remote:
        return False
    try:  # a number cannot be rebound, only a name can
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _in_address(host: str) -> str:
    """Write a host as an address does: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _check_origin(request: web.Request) -> None:
    for origin in request.headers.getall("Origin", []):
        if origin.strip().lower().startswith(("http:", "https:")) or "," in origin:
            raise RefusedError(
                "Web pages may not use this server.",
                "Use the plug-in or the command line.",
                code="origin_refused",
                status=403,
            )


def _check_token(request: web.Request, expected: str) -> None:
    tokens = request.headers.getall(TOKEN_HEADER, [])
    hint = "The plug-in for GIMP finds it by itself; for Photoshop, `colorize-server pair photoshop` shows it."
    if not tokens:
        raise RefusedError("The request has no token.", hint, code="token_missing", status=401)
    given = tokens[0].encode("utf-8", "surrogateescape")
    if len(tokens) > 1 or not hmac.compare_digest(given, expected.encode("ascii")):
        raise RefusedError("The token is not the one of this installation.", hint, code="token_wrong", status=401)


def _client(request: web.Request) -> str:
    clients = request.headers.getall(CLIENT_HEADER, [])
    if not clients:
        return "unnamed"
    if len(clients) > 1 or not CLIENT_PATTERN.fullmatch(clients[0]):
        raise BadRequestError(
            f"The header {CLIENT_HEADER} is not a client's name.", "Send name/id, at most 64 of A-Z a-z 0-9 . _ / -."
        )
    return clients[0]
