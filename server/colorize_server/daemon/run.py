"""The daemon's life: take a port, tell clients where it is, serve, finish what is under way, go."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Callable

from aiohttp import web

from .. import PRODUCT, __version__
from ..errors import ColorizeError
from ..inference.started import StartedProcess
from ..installation.state import DaemonState, StateFolder
from ..settings import TOLD_OPTIONS, Settings
from .app import Listener, create_app
from .handlers import PROTOCOL
from .keys import ACTIVITY, JOBS, SCHEDULER

_LOG = logging.getLogger(__name__)
_FOLDER_CHECK_INTERVAL_S = 1.0
_FETCH_GRACE_S = 10.0


class Token:
    """The token of this installation, renewed here when another process has rotated it.

    Args:
        folder: where it is kept.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._value = folder.token()

    def __call__(self) -> str:
        """Return it."""
        return self._value

    def reload(self) -> bool:
        """Read it anew; True if it has changed.  A folder that has vanished changes nothing."""
        content = self._folder.read(self._folder.token_file)
        token = "" if content is None else content.decode("ascii", "replace").strip()
        if not token or token == self._value:
            return False
        self._value = token
        return True

    def keep(self) -> None:
        """Write it again where its file was deleted."""
        if self._folder.known_token() is None:
            self._folder.keep_token(self._value)


class Daemon:
    """One daemon.

    Args:
        settings: what it was told.
        folder: the private folder, prepared and locked.
        started: the inference process, which loads while the rest is being set up.
    """

    def __init__(self, settings: Settings, folder: StateFolder, started: StartedProcess) -> None:
        self._settings = settings
        self._folder = folder
        self._started = started
        self._stop = asyncio.Event()
        self._stop_at_once = asyncio.Event()
        self._token = Token(folder)

    async def run(self, on_listening: Callable[[int], None]) -> None:
        """Serve until told to stop.

        Args:
            on_listening: called with the port once clients may come.

        Raises:
            ColorizeError: if no port is free, or the state file cannot be written.
        """
        self._take_signals()
        app = create_app(self._settings, self._token, on_shutdown=self._stop.set, started=self._started)
        listener = Listener(app, self._settings.limits)
        watches: list[asyncio.Task[None]] = []
        try:
            await self._listen(listener)
            await self._tell(listener.port)
            on_listening(listener.port)
            _LOG.info("version %s listens on %s, port %d", __version__, self._settings.host, listener.port)
            watches.append(asyncio.create_task(self._watch_folder(listener.port)))
            watches.append(asyncio.create_task(self._watch_idle(app)))
            await self._stop.wait()
            _LOG.info("stopping: %d under way, %d waiting", app[SCHEDULER].running, app[SCHEDULER].waiting)
            await self._finish(app)
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.to_thread(self._folder.forget, os.getpid())
            await listener.close()
            _LOG.info("stopped")

    async def _listen(self, listener: Listener) -> None:
        """Take the first port that is free."""
        settings = self._settings
        for port in settings.ports:
            try:
                await listener.open(settings.host, port)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):  # Windows reserves ports and says EACCES
                    raise _cannot_listen(
                        settings.host, port, error, "--host, or name an address of this computer"
                    ) from error
                _LOG.warning("port %d is taken by another program", port)
                continue
            if settings.ipv6:
                try:
                    await listener.open("::1", listener.port)
                except OSError as error:
                    raise _cannot_listen("::1", listener.port, error, "--ipv6") from error
            return
        raise ColorizeError(
            f"Other programs hold port {', '.join(map(str, settings.ports))}.",
            "End them, or choose another port with --port.",
            code="port_taken",
        )

    async def _tell(self, port: int) -> None:
        state = DaemonState(
            product=PRODUCT,
            version=__version__,
            protocol=PROTOCOL,
            host=self._settings.host,
            port=port,
            pid=os.getpid(),
            token=self._token(),
            options={name: getattr(self._settings, name) for name in TOLD_OPTIONS},
        )
        await asyncio.to_thread(self._folder.save, state)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            (self._stop_at_once if self._stop.is_set() else self._stop).set()

        for number in (signal.SIGINT, signal.SIGTERM):
            if sys.platform == "win32":  # its event loop knows no signals
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
            else:
                loop.add_signal_handler(number, stop)

    async def _watch_folder(self, port: int) -> None:
        """Take over a token that was rotated, and make again what was deleted, so that clients find us."""
        complaint = ""
        while True:
            await asyncio.sleep(_FOLDER_CHECK_INTERVAL_S)
            try:
                if await asyncio.to_thread(self._is_to_be_told_anew):
                    await self._tell(port)
                    complaint = ""
            except ColorizeError as error:
                if str(error) != complaint:  # once, not every second
                    _LOG.error("clients cannot be told where the server is: %s", error)
                complaint = str(error)

    def _is_to_be_told_anew(self) -> bool:
        """Whether the state file does not say what it should: the token was renewed, or somebody cleaned up."""
        if self._token.reload():
            _LOG.info("the token was renewed")
            return True
        if self._folder.load() is not None:
            return False
        if not self._folder.regain():
            raise ColorizeError(f"Another server has taken {self._folder.path} over.")
        self._token.keep()
        return True

    async def _watch_idle(self, app: web.Application) -> None:
        """End a daemon that was started with --idle-exit and has had nothing to do for so long."""
        idle_exit_s = self._settings.idle_exit_s
        if idle_exit_s is None:
            return
        scheduler, jobs = app[SCHEDULER], app[JOBS]
        while not self._stop.is_set():
            await asyncio.sleep(min(1.0, idle_exit_s / 4))
            is_idle = scheduler.is_idle and not jobs.unfetched
            if is_idle and time.monotonic() - app[ACTIVITY].last > idle_exit_s:
                _LOG.info("nothing to do for %g s", idle_exit_s)
                self._stop.set()

    async def _finish(self, app: web.Application) -> None:
        """Finish what is under way and let clients fetch it, unless told again to stop."""
        at_once = asyncio.create_task(self._stop_at_once.wait())
        finished = asyncio.create_task(self._drain(app))
        await asyncio.wait([at_once, finished], return_when=asyncio.FIRST_COMPLETED)
        for task in (at_once, finished):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _drain(self, app: web.Application) -> None:
        scheduler, began = app[SCHEDULER], time.monotonic()
        await scheduler.drain(self._settings.limits.drain_s)
        end = time.monotonic() + _FETCH_GRACE_S
        while app[JOBS].unfetched and time.monotonic() < end:  # noqa: ASYNC110 - bounded, once in a daemon's life
            await asyncio.sleep(0.05)
        # A result that is being fetched now is sent to its end.
        await scheduler.drain(self._settings.limits.drain_s - (time.monotonic() - began))


def _cannot_listen(host: str, port: int, error: OSError, left_out: str) -> ColorizeError:
    return ColorizeError(
        f"The server cannot listen on {host}, port {port} ({error.strerror}).",
        f"Leave out {left_out}.",
        code="cannot_listen",
    )
