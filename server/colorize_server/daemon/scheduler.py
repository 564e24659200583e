"""Whose turn it is: a bounded queue in front of the inference process, served in turn between clients."""

import asyncio
import contextlib
import logging
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator

from ..errors import BackendError, BusyError, CancelledError, ColorizeError
from ..inference.process import InferenceProcess
from ..settings import Limits
from .work import State, Work

_LOG = logging.getLogger(__name__)
_MAX_RETRY_AFTER_S = 30
_EARLY = 0.75
"""A client that is turned away is asked to wait this share of the expected time.

Another refusal costs little; an empty place in the queue is work lost.
"""
_LATE_S = 2.0
"""A client that was told when to come back keeps its rank for so long after that time."""


class FairQueue:
    """First in, first out for each client, and one of each client in turn."""

    def __init__(self) -> None:
        self._by_client: OrderedDict[str, deque[Work]] = OrderedDict()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(len(line) for line in self._by_client.values())

    def put(self, work: Work) -> None:
        """Append work to its client's line."""
        self._by_client.setdefault(work.client, deque()).append(work)
        self._filled.set()
        self._tell_positions()

    async def get(self) -> Work:
        """Wait for work and take the next."""
        while not self._by_client:
            self._filled.clear()
            await self._filled.wait()
        client, line = self._by_client.popitem(last=False)
        work = line.popleft()
        if line:
            self._by_client[client] = line  # at the end: the others come first
        self._tell_positions()
        return work

    def remove(self, work: Work) -> bool:
        """Take work out; False if it was not there."""
        line = self._by_client.get(work.client)
        if line is None or work not in line:
            return False
        line.remove(work)
        if not line:
            del self._by_client[work.client]
        self._tell_positions()
        return True

    @property
    def n_clients(self) -> int:
        """How many clients have work that waits."""
        return len(self._by_client)

    def in_order(self) -> Iterator[Work]:
        """Yield what waits, in the order in which it will be served."""
        lines = [list(line) for line in self._by_client.values()]
        for turn in range(max(map(len, lines), default=0)):
            for line in lines:
                if turn < len(line):
                    yield line[turn]

    def _tell_positions(self) -> None:
        for position, work in enumerate(self.in_order(), start=1):
            if work.position != position:
                work.position = position
                work.notify()


class TurnedAway:
    """Clients that found no place, in the order in which each was turned away first.

    Places are kept for them.  Else a client that is answered, and asks again at once, would take the very place that
    its answer has freed, and who was told to wait would never find one.

    Args:
        most: how many are remembered, so that made-up names cannot fill the memory.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[str, float] = {}

    def before(self, client: str) -> int:
        """Return how many were turned away before this client: all of them if it was not, or comes too late."""
        now = time.monotonic()
        self._until = {other: until for other, until in self._until.items() if until >= now}
        return next((rank for rank, other in enumerate(self._until) if other == client), len(self._until))

    def expect(self, client: str, wait_s: float) -> None:
        """Note that a client was told to come back in `wait_s` seconds; its rank stays that of the first time."""
        if client in self._until or len(self._until) < self._most:
            self._until[client] = time.monotonic() + wait_s + _LATE_S

    def forget(self, client: str) -> None:
        """Note that a client has found a place."""
        self._until.pop(client, None)


class Scheduler:
    """Takes work, gives it to the inference process one at a time, and cancels it.

    Args:
        inference: runs the work.
        limits: the daemon's.
    """

    def __init__(self, inference: InferenceProcess, limits: Limits) -> None:
        self._inference = inference
        self._limits = limits
        self._queue = FairQueue()
        self._admitted: dict[str, int] = {}
        self._running: Work | None = None
        self._running_task: asyncio.Task[None] | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._mean_run_s = 1.0
        self._turned_away = TurnedAway(limits.max_connections)
        self._answering = 0
        self.is_stopping = False

    @property
    def waiting(self) -> int:
        """How much work waits for its turn."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """How much work is under way."""
        return int(self._running is not None)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, not even a body being received, or an answer being sent."""
        return not self._admitted and not self.running and not self.waiting and not self._answering

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Keep the daemon from ending, within the time that it may take to end, before a client has its answer."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    def open(self) -> None:
        """Start serving."""
        self._dispatcher = asyncio.create_task(self._dispatch(), name="dispatcher")

    async def close(self) -> None:
        """Stop serving; what waits or runs fails."""
        self.is_stopping = True
        if self._dispatcher is not None:
            self._dispatcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dispatcher
        for work in list(self._queue.in_order()):
            self._drop(work, State.FAILED, stopping_error())

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new and wait until what was taken is done and sent, but not longer than `timeout_s`."""
        self.is_stopping = True
        end = time.monotonic() + timeout_s
        while not self.is_idle and time.monotonic() < end:  # noqa: ASYNC110 - bounded, once in a daemon's life
            await asyncio.sleep(0.05)

    def check_open(self) -> None:
        """Refuse work that cannot be served now.

        Raises:
            BusyError: if the daemon is starting or stopping.
            ModelError: if the worker could not be opened and it is too early to try again.
        """
        if self.is_stopping:
            raise stopping_error()
        if self._inference.info is None and self._inference.is_starting:
            raise BusyError(
                "The server is still loading its model.", "Try again in a second.", code="starting", retry_after_s=1
            )

    @contextlib.asynccontextmanager
    async def admitted(self, client: str) -> AsyncIterator[None]:
        """Hold a place among the waiting while a body is received; `submit` then takes the place over.

        Raises:
            ColorizeError: if there is no place, or no engine.
        """
        self.check_open()
        if not self._inference.is_ready and not self._inference.is_starting:
            await self._inference.ready()  # tries again, or says why not
        places = self._admitted.get(client, 0) + self._waiting_of(client)
        taken = sum(self._admitted.values()) + self.waiting
        earlier = self._turned_away.before(client)
        # Half of the places are never kept, so that there is always work.
        kept = earlier if taken >= self._limits.max_waiting // 2 else 0
        if taken + kept >= self._limits.max_waiting:
            error = self._full("The server has more pictures waiting than it can hold.", earlier + 1)
            self._turned_away.expect(client, error.retry_after_s or 0)
            raise error
        self._turned_away.forget(client)
        if places >= self._limits.max_waiting_per_client:
            raise self._full("This program has as many pictures waiting as one program may.", self._queue.n_clients)
        self._admitted[client] = self._admitted.get(client, 0) + 1
        try:
            yield
        finally:
            self._admitted[client] -= 1
            if not self._admitted[client]:
                del self._admitted[client]

    def submit(self, work: Work) -> None:
        """Queue work whose body is complete."""
        work.made = time.monotonic()
        self._queue.put(work)

    def cancel(self, work: Work) -> None:
        """Stop work: at once if it waits, within the grace time of the limits if it runs."""
        if work.state.is_final or self._drop(work, State.CANCELLED):
            return
        if work is self._running and self._running_task is not None:
            work.finish(State.CANCELLED)
            self._running_task.cancel()

    def expire(self) -> None:
        """Fail what has waited past its deadline."""
        latest = time.monotonic() - self._limits.deadline_s
        for work in list(self._queue.in_order()):
            if work.made < latest:
                self._drop(work, State.FAILED, _deadline_error())

    def _drop(self, work: Work, state: State, error: ColorizeError | None = None) -> bool:
        """Take work that waits out of the queue; False if it does not wait."""
        if not self._queue.remove(work):
            return False
        work.finish(state, error=error)
        work.close_inputs()
        return True

    def _waiting_of(self, client: str) -> int:
        return sum(work.client == client for work in self._queue.in_order())

    def _full(self, message: str, pictures: int) -> BusyError:
        """Return the refusal of a client that finds a place once so many pictures were worked on."""
        wait_s = min(_MAX_RETRY_AFTER_S, max(1, math.floor(_EARLY * self._mean_run_s * pictures)))
        return BusyError(message, "Try again in a moment.", retry_after_s=wait_s)

    async def _dispatch(self) -> None:
        while True:
            work = await self._queue.get()
            self._running = work
            self._running_task = asyncio.create_task(self._run(work))
            try:
                await asyncio.wait([self._running_task])
            except asyncio.CancelledError:
                work.finish(State.FAILED, error=stopping_error())
                self._running_task.cancel()
                await asyncio.wait([self._running_task])
                raise
            finally:
                self._running = None
                self._running_task = None
                work.close_inputs()  # here, because a task that is cancelled before its first step runs none of its own

    async def _run(self, work: Work) -> None:
        def on_progress(fraction: float) -> None:
            if not work.state.is_final:
                work.progress = max(work.progress, min(1.0, fraction))
                work.notify()

        deadline = asyncio.get_running_loop().time() + work.made + self._limits.deadline_s - time.monotonic()
        try:
            async with asyncio.timeout_at(deadline):
                await self._inference.ready()
                work.state = State.RUNNING
                work.position = 0
                work.started = time.monotonic()
                work.notify()
                result = await self._inference.run(work.task, work.inputs, on_progress)
        except TimeoutError:
            work.finish(State.FAILED, error=_deadline_error())
        except asyncio.CancelledError:
            work.finish(State.CANCELLED)
            raise
        except CancelledError:
            work.finish(State.CANCELLED)
        except ColorizeError as error:
            work.finish(State.FAILED, error=error)
        except Exception:  # noqa: BLE001 - one picture's defect must not end the daemon
            _LOG.exception("a defect in the scheduler")
            work.finish(State.FAILED, error=ColorizeError("The server made a mistake.", "Please report it."))
        else:
            self._mean_run_s += 0.2 * (time.monotonic() - (work.started or 0.0) - self._mean_run_s)
            work.finish(State.DONE, result=result)


def stopping_error() -> BusyError:
    """Return what a request gets while the daemon stops."""
    return BusyError("The server is being stopped.", "Start it again.", code="stopping", retry_after_s=5)


def _deadline_error() -> BackendError:
    return BackendError(
        "The picture waited or was worked on for too long.",
        "Try again when the server has less to do, or use a smaller picture.",
        code="deadline_exceeded",
        retry_after_s=10,
    )
