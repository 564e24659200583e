"""The daemon's side of the inference process: start it, give it one task at a time, watch it, replace it.

All blocking calls (starting a process, writing to a channel that may be full) run on one thread of its own that
lives as long as the daemon: Linux ends the inference process when the thread that started it ends.
"""

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import BackendError, CancelledError, ColorizeError, ModelError
from ..settings import Settings
from .channel import Message, Parcel
from .memory import SharedBuffer
from .started import StartedProcess
from .task import Answer, Task, WorkerInfo

_LOG = logging.getLogger(__name__)
_WATCH_INTERVAL_S: Final = 0.25
_QUICK_DEATH_PAUSE_S: Final = 1.0
_TRY_AGAIN: Final = "A new one is being started: try again in a few seconds."


@dataclass(slots=True)
class _Run:
    """The task under way."""

    id: str
    on_progress: Callable[[float], None]
    finished: asyncio.Future[tuple[Answer, SharedBuffer]]
    silent_s: float = 0.0
    is_taken: bool = False


class _NotTakenError(BackendError):
    """The process ended before it took a task on."""


@dataclass(eq=False, slots=True)
class _Child:
    """One inference process, from its start to its end."""

    started: StartedProcess
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: asyncio.Event = field(default_factory=asyncio.Event)
    failure: ColorizeError | None = None
    run: _Run | None = None
    why_ended: str = ""


class InferenceProcess:
    """Runs tasks, one at a time, in a process that is replaced when it dies, hangs, or does not let go.

    Args:
        settings: how to start it, and the limits on its silence.
        started: one that was started already, or None.
    """

    def __init__(self, settings: Settings, started: StartedProcess | None = None) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._early = started
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._child: _Child | None = None
        self._starting: asyncio.Future[StartedProcess] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._last_attempt = -1e9
        self._next_id = 0
        self._closing = False
        self.info: WorkerInfo | None = None
        self.failure: ColorizeError | None = None  # stays while the worker is tried again
        self.restarts = 0

    @property
    def is_ready(self) -> bool:
        """Whether a task would be run at once."""
        child = self._child
        return child is not None and child.is_ready.is_set() and not child.is_gone.is_set()

    @property
    def is_starting(self) -> bool:
        """Whether a worker is being opened, for the first time or again; else `failure` says why none is."""
        return not self.is_ready and (self.failure is None or self._wanted.is_set())

    @property
    def pid(self) -> int | None:
        """The process that is there now."""
        return None if self._child is None else self._child.started.process.pid

    def open(self) -> None:
        """Start keeping a process; returns at once."""
        self._keeper = asyncio.create_task(self._keep(), name="inference-keeper")

    async def close(self) -> None:
        """End the process."""
        self._closing = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        started = self._early
        if self._starting is not None:
            with contextlib.suppress(OSError):
                started = await self._starting
        if started is not None:
            await asyncio.to_thread(started.end)
        child = self._child
        if child is not None:
            await asyncio.to_thread(child.started.channel.close)
            await child.is_gone.wait()
        await asyncio.to_thread(self._thread.shutdown)

    async def ready(self) -> None:
        """Wait until a task can be run.

        Raises:
            ColorizeError: why the worker could not be opened.  Asking again tries again, but not too often.
        """
        while not self.is_ready:
            self.try_again()
            if self.failure is not None and not self.is_starting:
                raise self.failure
            changed = self._changed
            await changed.wait()

    def try_again(self) -> None:
        """Have a worker that could not be opened tried again, but not too often; without effect if none has failed."""
        if self.failure is not None and time.monotonic() - self._last_attempt >= self._limits.restart_pause_s:
            self._wanted.set()

    async def run(
        self, task: Task, inputs: Sequence[SharedBuffer], on_progress: Callable[[float], None]
    ) -> tuple[Answer, SharedBuffer]:
        """Run a task.  Cancelling this cancels the task: it has stopped, or its process has ended, when this returns.

        Returns:
            the answer and the buffer with its bytes, which is the caller's to close.

        Raises:
            ColorizeError: what went wrong.
        """
        while True:
            try:
                return await self._run_once(task, inputs, on_progress)
            except _NotTakenError:  # its process was gone already: nothing was lost, so nobody needs to know
                _LOG.info("a task is given to another process")

    async def _run_once(
        self, task: Task, inputs: Sequence[SharedBuffer], on_progress: Callable[[float], None]
    ) -> tuple[Answer, SharedBuffer]:
        await self.ready()
        child = self._child
        assert child is not None  # noqa: S101 - ready() says so
        loop = asyncio.get_running_loop()
        self._next_id += 1
        run = _Run(str(self._next_id), on_progress, loop.create_future())
        child.run = run
        watch = asyncio.create_task(self._watch(child, run))
        try:
            if not await self._send(child, {"do": "run", "id": run.id, "task": task.as_members()}, inputs):
                self._end(child, "it could not be reached")
            answer, buffer = await asyncio.shield(run.finished)
        except asyncio.CancelledError:
            await _to_its_end(asyncio.create_task(self._stop(child, run)))
            raise
        except ColorizeError:
            child.run = None
            raise
        finally:
            watch.cancel()
        child.run = None
        try:
            await self._send(child, {"do": "taken"})
        except asyncio.CancelledError:
            buffer.close()
            raise
        return answer, buffer

    async def _send(self, child: _Child, message: Message, buffers: Sequence[SharedBuffer] = ()) -> bool:
        """Send; False if the process cannot be reached."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, child.started.channel.send, message, buffers)
        except OSError:
            return False
        return True

    async def _stop(self, child: _Child, run: _Run) -> None:
        """Have a run cancelled, by ending its process if it does not let go."""
        sending = asyncio.ensure_future(self._send(child, {"do": "cancel", "id": run.id}))
        done, _ = await asyncio.wait([run.finished], timeout=self._limits.cancel_grace_s)
        if not done:
            _LOG.info("cancelled work did not stop, its process is ended")
            self._end(child, "it did not stop when it was told to")
        await sending
        await asyncio.wait([run.finished])
        child.run = None
        if run.finished.exception() is None:
            run.finished.result()[1].close()
            await self._send(child, {"do": "taken"})

    async def _watch(self, child: _Child, run: _Run) -> None:
        """End a process that gives no sign of life.

        Silence is counted in small steps, each of which counts little however long it took: a laptop that slept, or a
        clock that jumped, is no hung process.
        """
        last = time.monotonic()
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            now = time.monotonic()
            run.silent_s += min(now - last, 4 * _WATCH_INTERVAL_S)
            last = now
            if run.silent_s > self._limits.stall_s:
                _LOG.error("the inference process hangs and is ended")
                self._end(child, "it hung")
                return

    def _end(self, child: _Child, why: str) -> None:
        if child.started.process.poll() is None:
            child.why_ended = why
            child.started.process.kill()

    async def _keep(self) -> None:
        """Keep one process running; after one that could not open its worker, wait until somebody needs it."""
        while True:
            self._last_attempt = time.monotonic()
            child = await self._start()
            await self._wait_until_ready(child)
            if child.is_ready.is_set():
                self.failure = None
                self._notify()
                await child.is_gone.wait()
                if self._closing:
                    return
                self.restarts += 1
                # A process that dies as soon as it works must not make us start processes as fast as we can.
                await asyncio.sleep(max(0.0, self._last_attempt + _QUICK_DEATH_PAUSE_S - time.monotonic()))
                continue
            self._wanted.clear()
            self._last_attempt = time.monotonic()
            self.failure = child.failure or ModelError(
                f"The inference process could not be started ({child.why_ended}).",
                "Run `colorize-server start` in a terminal to see why, or install colorize-server anew.",
            )
            _LOG.error("the worker could not be opened: %s", self.failure)
            self._notify()
            await self._wanted.wait()

    async def _start(self) -> _Child:
        loop = asyncio.get_running_loop()
        started, self._early = self._early, None
        while started is None:
            try:
                self._starting = loop.run_in_executor(self._thread, StartedProcess, self._settings)
                started = await asyncio.shield(self._starting)
            except OSError as error:  # out of processes or of memory for a moment
                _LOG.error("the inference process could not be started: %s", error)
                await asyncio.sleep(_QUICK_DEATH_PAUSE_S)
        self._starting = None
        child = _Child(started)
        self._child = child
        reader = threading.Thread(target=self._read, args=(child, loop), name="inference-messages", daemon=True)
        reader.start()
        return child

    async def _wait_until_ready(self, child: _Child) -> None:
        waits = [asyncio.ensure_future(child.is_ready.wait()), asyncio.ensure_future(child.is_gone.wait())]
        try:
            done, _ = await asyncio.wait(
                waits, timeout=self._limits.start_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in waits:
                wait.cancel()
        if not done:
            self._end(child, "it took too long to load the model")
            await child.is_gone.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _read(self, child: _Child, loop: asyncio.AbstractEventLoop) -> None:
        """Hand messages to the event loop until the process is gone; runs on a thread of its own."""
        channel = child.started.channel
        with contextlib.suppress(RuntimeError):  # the loop was closed
            while (parcel := channel.receive()) is not None:
                loop.call_soon_threadsafe(self._on_message, child, parcel)
            child.started.reap()  # it may have closed its end and live on
            channel.close()
            loop.call_soon_threadsafe(self._on_gone, child)

    def _on_message(self, child: _Child, parcel: Parcel) -> None:
        message = parcel.message
        kind = message["is"]
        if kind == "ready":
            self.info = WorkerInfo(**message["info"])
            _LOG.info("computes with %(active)s on %(device)s: %(reason)s", self.info.backend)
            child.is_ready.set()
            return
        if kind == "failed":
            error = message["error"]
            child.failure = ModelError(error["message"], error["hint"], code=error["code"])
            return
        run = child.run
        if run is None or run.id != message["id"] or run.finished.done():
            parcel.drop()
            return
        run.silent_s = 0.0
        run.is_taken = True
        match kind:
            case "progress":
                run.on_progress(message["fraction"])
            case "done":
                try:
                    run.finished.set_result((Answer(**message["answer"]), parcel.open_buffers()[0]))
                except ColorizeError as error:
                    _fail(run, error)
            case "error":
                _fail(run, _error_from(message["error"]))

    def _on_gone(self, child: _Child) -> None:
        why = child.why_ended or _how_it_ended(child.started.process.returncode)
        child.why_ended = why
        child.is_gone.set()
        run = child.run
        if not self._closing:
            _LOG.warning("the inference process (%d) has ended: %s", child.started.process.pid, why)
        if run is not None and not run.finished.done():
            kind = BackendError if run.is_taken else _NotTakenError
            _fail(
                run,
                kind(f"The inference process ended while it held this picture: {why}.", _TRY_AGAIN, retry_after_s=2),
            )
        self._notify()


async def _to_its_end(task: asyncio.Task[None]) -> None:
    """Wait for a task, however often whoever waits is cancelled meanwhile."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    task.result()


def _fail(run: _Run, error: ColorizeError) -> None:
    run.finished.set_exception(error)
    run.finished.exception()  # read once here: it may be that nobody asks any more


def _error_from(members: dict[str, Any]) -> ColorizeError:
    kind = CancelledError if members["cancelled"] else ColorizeError
    return kind(
        members["message"],
        members["hint"],
        code=members["code"],
        status=members["status"],
        retry_after_s=members["retry_after_s"],
    )


def _how_it_ended(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        with contextlib.suppress(ValueError):
            return f"it was ended by signal {signal.Signals(-returncode).name}"
    return f"its exit code was {returncode}"
