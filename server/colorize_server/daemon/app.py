"""The application: routes, checks, and what starts and ends with it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from ..inference.process import InferenceProcess
from ..inference.started import StartedProcess
from ..settings import Limits, Settings
from . import handlers, records
from .access import check_access
from .connections import Connection, Connections, note_expectation
from .failures import answer_failures
from .jobs import Jobs
from .keys import (
    ACCESS,
    ACTIVITY,
    CONNECTIONS,
    INFERENCE,
    JOBS,
    MEMORY,
    PAGE_KEYS,
    SCHEDULER,
    SETTINGS,
    SHUTDOWN,
    Access,
    Activity,
    Shutdown,
)
from .page.keys import PageKeys
from .page.routes import page_routes
from .page.sessions import Session, give_up_idle
from .scheduler import Scheduler
from .work import HeldMemory

_SWEEP_INTERVAL_S = 1.0


def create_app(
    settings: Settings,
    token: Callable[[], str],
    *,
    on_shutdown: Callable[[], None] = lambda: None,
    started: StartedProcess | None = None,
) -> web.Application:
    """Build the application.

    Args:
        settings: what the daemon was told.
        token: returns the token of this installation.
        on_shutdown: called when a client asks the daemon to end.
        started: an inference process that was started already.
    """
    connections = Connections(settings.limits)
    app = web.Application(middlewares=[connections.track, answer_failures, check_access])
    inference = InferenceProcess(settings, started)
    scheduler = Scheduler(inference, settings.limits)
    app[SETTINGS] = settings
    app[ACCESS] = Access(token=token, host=settings.host, allow_remote=settings.allow_remote)
    app[ACTIVITY] = Activity()
    app[CONNECTIONS] = connections
    app[INFERENCE] = inference
    app[SCHEDULER] = scheduler
    app[JOBS] = Jobs(scheduler, settings.limits)
    app[MEMORY] = memory = HeldMemory(settings.limits)
    app[PAGE_KEYS] = PageKeys(lambda: Session(memory), Session.let_go)
    app[SHUTDOWN] = Shutdown(on_shutdown)
    app.cleanup_ctx.append(_run)
    routes = [
        web.get("/v1/health", handlers.health),
        web.get("/v1/openapi.json", handlers.openapi),
        web.post("/v1/colorize", handlers.colorize),
        web.post("/v1/suggest", handlers.suggest),
        web.post("/v1/touchups", handlers.touchups),
        web.post("/v1/provenance", records.provenance),
        web.post("/v1/jobs", handlers.create_job),
        # Not for HEAD: asking for a job keeps it alive, and a result is sent piece by piece.
        web.get("/v1/jobs/{id}", handlers.show_job, allow_head=False),
        web.delete("/v1/jobs/{id}", handlers.delete_job),
        web.get("/v1/jobs/{id}/result", handlers.fetch_result, allow_head=False),
        web.post("/v1/shutdown", handlers.shutdown),
        *page_routes(),
    ]
    for route in routes:
        route.kwargs["expect_handler"] = note_expectation
    app.add_routes(routes)
    return app


async def _run(app: web.Application) -> AsyncIterator[None]:
    """Start what the application needs, and end it with the application."""
    app[INFERENCE].open()
    app[SCHEDULER].open()
    sweeper = asyncio.create_task(_sweep(app), name="sweeper")
    yield
    sweeper.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sweeper
    await app[SCHEDULER].close()
    app[JOBS].close()
    app[PAGE_KEYS].close()
    await app[INFERENCE].close()


async def _sweep(app: web.Application) -> None:
    while True:
        await asyncio.sleep(_SWEEP_INTERVAL_S)
        app[JOBS].sweep()
        app[SCHEDULER].expire()
        app[PAGE_KEYS].sweep()
        give_up_idle(app[PAGE_KEYS].holders())


class Listener:
    """The application on sockets.

    Args:
        app: the application.
        limits: the daemon's.
    """

    def __init__(self, app: web.Application, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=2.0)
        self._servers: list[asyncio.Server] = []
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Start the application if need be, and listen.

        Args:
            host: address to listen on.
            port: port to listen on; 0 takes a free one.

        Raises:
            OSError: if that is not possible.
        """
        if self._runner.server is None:
            await self._runner.setup()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connection, host, port, backlog=512)
        self._servers.append(server)
        self.port = server.sockets[0].getsockname()[1]
        self._app[ACCESS].port = self.port

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None  # noqa: S101 - set up before the first socket was opened
        return Connection(server, self._app[CONNECTIONS], self._limits)

    async def close(self) -> None:
        """Stop listening, close what is open, end the application."""
        for server in self._servers:
            server.close()
        await self._runner.cleanup()
