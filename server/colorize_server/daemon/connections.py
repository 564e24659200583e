"""Connections: never more than a bound, answers in JSON even to what is not HTTP."""

import asyncio
import logging
from collections import OrderedDict
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler
from aiohttp.web_request import BaseRequest

from ..settings import Limits
from .failures import failure, malformed_request

_LOG = logging.getLogger(__name__)

EXPECTS_CONTINUE: Final = web.RequestKey("expects_continue", bool)
"""Set for a request whose client sends its body once it is asked to."""

_NO_ACCESS_LOG = logging.getLogger(f"{__name__}.access")
_NO_ACCESS_LOG.disabled = True


class Connections:
    """The sockets that are open; those without a request under way are closed to make room, the oldest first.

    Args:
        limits: the daemon's.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: OrderedDict[web.RequestHandler, None] = OrderedDict()
        self._busy: set[web.RequestHandler] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: web.RequestHandler) -> None:
        """Count a new connection, at the cost of another one if there are too many."""
        self._open[connection] = None
        if len(self._open) <= self._limits.max_connections:
            return
        idle = next((other for other in self._open if other not in self._busy), connection)
        self.remove(idle)
        idle.force_close()

    def remove(self, connection: web.RequestHandler) -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)
        self._busy.discard(connection)

    @web.middleware
    async def track(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keep a connection from being closed while it has a request under way."""
        connection = request.protocol
        self._busy.add(connection)
        try:
            return await handler(request)
        finally:
            self._busy.discard(connection)
            if connection in self._open:
                self._open.move_to_end(connection)


async def note_expectation(request: web.Request) -> None:
    """Note that a client waits to be asked for its body; aiohttp alone would ask before any check of ours is made."""
    is_known = request.headers[hdrs.EXPECT].lower() == "100-continue"
    if is_known and request.version >= HttpVersion11:  # RFC 9110, section 10.1.1
        request[EXPECTS_CONTINUE] = True


class Connection(web.RequestHandler):
    """One connection; aiohttp's own, with our bounds and our errors."""

    __slots__ = ("_connections",)

    def __init__(self, server: web.Server, connections: Connections, limits: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            # Also the time for the first headers: aiohttp closes what is idle, and a half-sent request is idle.
            keepalive_timeout=limits.header_timeout_s,
            access_log=_NO_ACCESS_LOG,
            lingering_time=5.0,
            # Bodies are taken as they are: inflating them here would be an unbounded amount of memory from a small one.
            auto_decompress=False,
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what never reached a handler."""
        if status >= 500:
            _LOG.error("a defect in a request that no handler saw", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; its end is all that can still be said")
        response = failure(malformed_request(exc, status))
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Log a defect; aiohttp calls this for what clients do wrong as well, which is no error of ours."""
        _LOG.debug(*args, **kwargs)
