"""Client of the colorize server's HTTP protocol, version 1 (server/PROTOCOL.md).

Standard library only and no GIMP calls, so that it may run on a worker thread and be tested without GIMP.
Every error is a `ServerError` whose text tells a painter what happened and what to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import secrets
import socket
import threading
import urllib.parse
from typing import TYPE_CHECKING, Any

from language import _
from protocol import Answer, Health, NoServerError, Request, Server, ServerError, StrangerError, Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PROTOCOL = 1
PRODUCT = "colorize-server"
CLIENT_NAME = f"gimp/{os.getpid()}"
HEALTH_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 1800.0
"""The daemon has its own deadline; this only ends a wait for one that hangs."""
MAX_JSON_BYTES = 1 << 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of an address that the artist wrote.

    Args:
        text: ``http://127.0.0.1:47811``, ``localhost:47811`` or the like.

    Raises:
        ServerError: if it is not the address of a port on this computer.
    """
    example = _("Write it like http://127.0.0.1:47811, or leave it empty.")
    text = text.strip()
    try:
        parts = urllib.parse.urlsplit(text if "//" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ServerError(_("“{text}” is not a server address.").format(text=text), example) from None
    if parts.scheme != "http" or not host or port is None or parts.path.strip("/") or parts.query or parts.username:
        raise ServerError(_("“{text}” is not a server address.").format(text=text), example)
    if host not in LOOPBACK:
        raise ServerError(
            _("The server address “{text}” is on another computer, where the photograph must not go.").format(
                text=text
            ),
            example,
        )
    return host, port


def check_health(server: Server) -> Health:
    """Ask the server how it is, and check that it is ours.

    Raises:
        NoServerError: nothing answers there.
        StrangerError: something else answers there, or it does not know the token.
        ServerError: it answers, but cannot be worked with.
    """
    with Connection(server, HEALTH_TIMEOUT_S) as connection:
        return connection.health


def colorize(server: Server, request: Request) -> Answer:
    """Send one picture and return its colour; blocks until the answer is there.

    The proof is asked for on the very connection that then carries the token and the picture, so that neither can
    reach a stranger who took the port in between.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    with Connection(server, HEALTH_TIMEOUT_S) as connection:
        failure = connection.health.failure()
        if failure:
            raise failure
        return connection.colorize(request)


def lift(server: Server, width: int, height: int, laid: bytes, painted: bytes) -> bytes:
    """Return what was painted on a layer of colour; blocks.

    Args:
        server: one that knows touch-ups (`Health.features`).
        width: of the layer, in pixels.
        height: of the layer, in pixels.
        laid: RGBA8, the layer as it was laid.
        painted: RGBA8, the layer as it is now.

    Returns:
        RGBA8: the strokes alone.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    with Connection(server, HEALTH_TIMEOUT_S) as connection:
        return connection.lift(width, height, laid, painted)


def record(server: Server, size: int, saturation: float, *, with_hints: bool) -> bytes:
    """Return an XMP packet that says how a picture was coloured; blocks.

    Args:
        server: one that writes records (`Health.features` has ``provenance``).
        size: network short side that was used.
        saturation: factor on the model's chroma.
        with_hints: whether colours were painted.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    values = {"size": size, "saturation": f"{saturation:.4g}", **({"hints": "painted"} if with_hints else {})}
    with Connection(server, HEALTH_TIMEOUT_S) as connection:
        return connection.record(urllib.parse.urlencode(values))


def suggest(server: Server, request: Request, places: list[tuple[int, int]]) -> list[list[Suggestion]]:
    """Return the colours that places of a picture may have, most likely first; blocks.

    Args:
        server: one whose model suggests colours (`Health.suggests_colours`).
        request: the picture, and the strokes painted so far.
        places: x and y in pixels of the picture.

    Returns:
        A list for each place.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    with Connection(server, HEALTH_TIMEOUT_S) as connection:
        return connection.suggest(request, places)


@contextlib.contextmanager
def _deadline(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Bound a whole exchange: a socket's own limit starts anew with every byte that a slow program sends.

    Raises:
        TimeoutError: if the exchange took longer, whatever it ended with.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        timer.join()
    if late.is_set():
        raise TimeoutError


class Connection:
    """One TCP connection to a server that has proved that it knows the token.

    Args:
        server: where it listens.
        timeout_s: how long connecting may take, and the whole health answer.

    Attributes:
        health: what the server said of itself on this connection.

    Raises:
        ServerError: see `check_health`.
    """

    def __init__(self, server: Server, timeout_s: float) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._http = http.client.HTTPConnection(server.host, server.port, timeout=timeout_s)
        try:
            self.health = self._prove()
        except BaseException:
            self._http.close()
            raise
        # A new connection would be one without a proof.
        self._http.auto_open = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _prove(self) -> Health:
        where = _("port {port}").format(port=self._server.port)
        nonce = secrets.token_hex(16)
        try:
            self._http.connect()
            with _deadline(self._http.sock, self._timeout_s):
                self._http.request("GET", f"/v1/health?nonce={nonce}", headers={"X-Colorize-Client": CLIENT_NAME})
                body = self._http.getresponse().read(MAX_JSON_BYTES)
        except TimeoutError:
            raise ServerError(
                _("The program on {where} does not answer.").format(where=where),
                _("Run 'colorize-server stop' in a terminal, then colorize again."),
            ) from None
        except (http.client.HTTPException, ConnectionResetError, BrokenPipeError):
            raise self._stranger() from None
        except OSError as error:
            raise NoServerError(
                _("No colorize server answers on {where} ({reason}).").format(
                    where=where, reason=error.strerror or error
                ),
                _("Start it with Filters > Colorize > Start Server, or run 'colorize-server start' in a terminal."),
            ) from None
        try:
            health = json.loads(body)
        except ValueError:
            raise self._stranger() from None
        if not isinstance(health, dict) or health.get("product") != PRODUCT:
            raise self._stranger()
        key = self._server.token.encode("ascii", "replace")
        asked = f"{nonce}:{self._server.port}"
        expected = hmac.new(key, asked.encode("ascii"), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), str(health.get("proof", "")).encode("utf-8", "replace")):
            raise StrangerError(
                _(
                    "The colorize server on {where} does not know this installation's token, so nothing was sent to it."
                ).format(where=where),
                _("Another user's server may hold the port; run 'colorize-server status' in a terminal to see which."),
            )
        if health.get("protocol") != PROTOCOL:
            raise ServerError(
                _("The colorize server speaks version {theirs} of the protocol, this plug-in version {ours}.").format(
                    theirs=health.get("protocol"), ours=PROTOCOL
                ),
                _("Run 'colorize-server install gimp' in a terminal and restart GIMP."),
            )
        return Health(health)

    def _stranger(self) -> StrangerError:
        return StrangerError(
            _("Port {port} is held by a program that is not the colorize server; nothing was sent to it.").format(
                port=self._server.port
            ),
            _("End that program, or run 'colorize-server start' in a terminal, which takes the next free port."),
        )

    def colorize(self, request: Request) -> Answer:
        """Send one picture and return its colour.

        Raises:
            ServerError: in words, whatever went wrong.
        """
        with self._answer(f"/v1/colorize?{request.query()}", request.parts) as response:
            return _read_answer(response, request)

    def lift(self, width: int, height: int, laid: bytes, painted: bytes) -> bytes:
        """Return the strokes that were painted on a layer; see `lift`."""
        with self._answer(f"/v1/touchups?width={width}&height={height}", [laid, painted]) as response:
            (strokes,) = _read_parts(response, [4 * width * height])
            return strokes

    def record(self, query: str) -> bytes:
        """Return the record of a run; see `record`."""
        with self._answer(f"/v1/provenance?{query}", [], "application/rdf+xml") as response:
            return response.read(MAX_JSON_BYTES)

    def suggest(self, request: Request, places: list[tuple[int, int]]) -> list[list[Suggestion]]:
        """Return the colours that places may have; see `suggest`."""
        with self._answer(f"/v1/suggest?{request.places_query(places)}", request.parts) as response:
            body = response.read(MAX_JSON_BYTES)
        try:
            return [[_suggestion(colour) for colour in place["colours"]] for place in json.loads(body)["places"]]
        except (ValueError, KeyError, TypeError):
            raise ServerError(
                _("The colorize server's suggestions cannot be read."),
                _("Run 'colorize-server install gimp' in a terminal, so that plug-in and server are of one version."),
            ) from None

    @contextlib.contextmanager
    def _answer(
        self, path: str, parts: list[bytes], media_type: str = "application/octet-stream"
    ) -> Iterator[http.client.HTTPResponse]:
        """POST a body and open the answer; what goes wrong meanwhile is told in words."""
        headers = {
            "Content-Type": media_type,
            "Content-Length": str(sum(len(part) for part in parts)),
            "X-Colorize-Token": self._server.token,
            "X-Colorize-Client": CLIENT_NAME,
        }
        if self._http.sock is None:
            raise self._stopped(_("The colorize server closed the connection."))
        self._http.sock.settimeout(ANSWER_TIMEOUT_S)
        try:
            try:
                self._http.request("POST", path, iter(parts), headers)
            except (BrokenPipeError, ConnectionResetError):
                # It refused before it had read everything; its reason may still be there to read.
                if self._http.sock is None:
                    raise
            response = self._http.getresponse()
            if response.status != 200:
                raise _refusal(response.status, response.read(MAX_JSON_BYTES))
            yield response
        except TimeoutError:
            raise self._stopped(_("The colorize server did not answer for half an hour.")) from None
        except (OSError, http.client.HTTPException):
            raise self._stopped(_("The colorize server stopped while it was working.")) from None

    def _stopped(self, what: str) -> ServerError:
        return ServerError(
            what,
            _(
                "Colorize again (a new server is started then); "
                "if it happens again, run 'colorize-server status' in a terminal."
            ),
        )


def _suggestion(member: dict[str, Any]) -> Suggestion:
    red, green, blue = (min(255, max(0, round(float(level)))) for level in member["srgb"])
    return Suggestion((red, green, blue), float(member["share"]), member.get("used") is True)


def _refusal(status: int, body: bytes) -> ServerError:
    """Return the error that the server's JSON names."""
    try:
        error = json.loads(body)
        return ServerError(str(error["message"]), str(error.get("hint", "")), str(error.get("code", "")))
    except (ValueError, KeyError, TypeError):
        return ServerError(
            _("The colorize server answered with error {status} and no explanation.").format(status=status),
            _("Run 'colorize-server status' in a terminal; its log holds the details."),
        )


def _read_answer(response: http.client.HTTPResponse, request: Request) -> Answer:
    """Read the answer's pictures, and check that they are what was asked for."""
    pixels = request.width * request.height
    recipe_bytes = int(response.headers.get("X-Colorize-Recipe-Bytes", "0"))
    lengths = [pixels * request.answer_channels * (request.depth // 8), pixels if request.doubt else 0, recipe_bytes]
    expected = {
        "X-Colorize-Width": request.width,
        "X-Colorize-Height": request.height,
        "X-Colorize-Channels": request.answer_channels,
        "X-Colorize-Depth": request.depth,
    }
    wrong = [name for name, value in expected.items() if response.headers.get(name) != str(value)]
    if wrong or bool(recipe_bytes) != request.wants_recipe or response.length not in (None, sum(lengths)):
        raise ServerError(
            _("The colorize server sent a picture of another kind than was asked for."),
            _("Run 'colorize-server install gimp' in a terminal, so that plug-in and server are of one version."),
        )
    parts = list(_read_parts(response, lengths))
    return Answer(
        picture=parts[0],
        doubt=parts[1] if request.doubt else None,
        model=response.headers.get("X-Colorize-Model", ""),
        model_sha256=response.headers.get("X-Colorize-Model-Sha256", ""),
        backend=response.headers.get("X-Colorize-Backend", ""),
        size=int(response.headers.get("X-Colorize-Size", "0")),
        recipe=parts[2] if request.wants_recipe else None,
    )


def _read_parts(response: http.client.HTTPResponse, lengths: list[int]) -> Iterator[bytes]:
    """Read exactly `lengths` bytes, part by part; reading by length spares a copy of the whole."""
    done = 0
    for length in lengths:
        part = response.read(length) if length else b""
        done += len(part)
        if len(part) != length:
            raise ServerError(
                _("The colorize server's answer was cut off after {done} of {total} bytes.").format(
                    done=f"{done:,}", total=f"{sum(lengths):,}"
                ),
                _("Colorize again; if it happens again, run 'colorize-server status' in a terminal."),
            )
        yield part
