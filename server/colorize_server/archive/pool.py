"""Many workers: hands them photographs, keeps the journal, and outlives whatever becomes of them."""

import collections
import contextlib
import dataclasses
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..errors import BackendError, ColorizeError
from ..files import remove_leftovers
from ..inference.channel import Channel, Message, start_process
from .entry import Entry, State
from .journal import Journal
from .one_file import crash_entry
from .room import needed_bytes
from .task import Rules, Task
from .worker import rules_as_members

WORKER_COMMAND: Final = (sys.executable, "-P", "-m", "colorize_server.archive.worker")
MAX_DEATHS: Final = 2
"""A photograph whose worker died so often is quarantined."""
_STOP_GRACE_S: Final = 3.0
_POLL_S: Final = 0.2
_OUTPUT_LINES: Final = 20


@dataclass
class _Worker:
    """One worker, as its parent sees it."""

    process: subprocess.Popen[bytes]
    channel: Channel
    task: Task | None = None
    bytes_held: int = 0
    is_loading: bool = False
    output: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=_OUTPUT_LINES))


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers there are and what each is.

    Attributes:
        count: of processes.
        threads: of the processor for each.
        model: file of the model.
        backend: what computes.
        budget_bytes: memory that photographs under way may need together.
        command: starts a worker.
    """

    count: int
    threads: int
    model: Path
    backend: str
    budget_bytes: int
    command: tuple[str, ...]


class Pool:
    """Colours photographs with several workers.

    Args:
        plan: the workers.
        rules: what is wanted.
        journal: is written before each result; None for none.

    Attributes:
        made_by: model and backend; empty while nothing had to be computed.
    """

    def __init__(self, plan: WorkerPlan, rules: Rules, journal: Journal | None) -> None:
        self._plan, self._rules, self._journal = plan, rules, journal
        self._members = rules_as_members(rules)
        self._events: queue.SimpleQueue[tuple[_Worker, Message | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._again: collections.deque[Task] = collections.deque()
        self._deaths: collections.Counter[str] = collections.Counter()
        self._failed_starts = 0
        self.made_by = ""

    def run(self, tasks: Iterable[Task], tell: Callable[[Entry], None]) -> None:
        """Colour photographs until all are done; what became of each is told.

        Raises:
            ModelError, BackendError: nothing can be coloured at all.
            OutputError: the journal cannot be written any more, or the disk is full.
            KeyboardInterrupt: Ctrl+C; what was under way has ended, whole or not begun.
        """
        waiting = _Waiting(iter(tasks))
        try:
            while self._hand_out(waiting):
                with contextlib.suppress(queue.Empty):  # by the clock, so that Ctrl+C is seen on every system
                    self._take(*self._events.get(timeout=_POLL_S), tell)
        except BaseException:
            self._stop(tell)
            raise
        finally:
            self._end()

    def _hand_out(self, waiting: "_Waiting") -> bool:
        """Give photographs to workers that have none, as far as memory goes; return whether any is under way."""
        while (task := self._again[0] if self._again else waiting.next()) is not None:
            busy = [worker for worker in self._workers if worker.task is not None]
            need = self._plan.budget_bytes if self._deaths[task.target] else waiting.need(task)
            has_room = sum(worker.bytes_held for worker in busy) + need <= self._plan.budget_bytes
            if len(busy) >= self._plan.count or (busy and not has_room):
                break
            if self._again:
                self._again.popleft()
            else:
                waiting.take()
            worker = self._idle() or self._start()
            worker.task, worker.bytes_held = task, need
            with contextlib.suppress(OSError):  # it died; its reader says so
                worker.channel.send({"do": "colour", "task": dataclasses.asdict(task), "rules": self._members})
        return any(worker.task is not None for worker in self._workers)

    def _idle(self) -> _Worker | None:
        alive = (worker for worker in self._workers if worker.task is None and worker.process.poll() is None)
        return next(alive, None)

    def _start(self) -> _Worker:
        plan = self._plan
        process, channel = start_process(
            [*plan.command, "--model", str(plan.model), "--backend", plan.backend, "--threads", str(plan.threads)]
        )
        worker = _Worker(process, channel)
        self._workers.append(worker)
        threading.Thread(target=self._listen, args=(worker,), name="worker-messages", daemon=True).start()
        threading.Thread(target=_drain, args=(worker,), name="worker-output", daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        while (parcel := worker.channel.receive()) is not None:
            self._events.put((worker, parcel.message))
        self._events.put((worker, None))

    def _take(self, worker: _Worker, message: Message | None, tell: Callable[[Entry], None]) -> None:
        """Take note of what a worker says; None is its death."""
        if message is None:
            self._bury(worker, tell)
            return
        match message["is"]:
            case "loading":
                worker.is_loading = True
            case "loaded":
                worker.is_loading, self._failed_starts = False, 0
                self.made_by = message["made_by"]
            case "writing":
                if self._journal is not None:
                    self._journal.append(Entry.from_members(message["entry"]))
                with contextlib.suppress(OSError):
                    worker.channel.send({"do": "write"})
            case "entry":
                self._settle(worker, Entry.from_members(message["entry"]), tell)
            case "cancelled":
                worker.task = None
            case "unusable":
                error = message["error"]
                raise BackendError(error["message"], error["hint"], code=error["code"])

    def _settle(self, worker: _Worker, entry: Entry, tell: Callable[[Entry], None]) -> None:
        """A photograph's end: write it down, say it, and free its worker."""
        task, worker.task = worker.task, None
        worker.bytes_held = 0
        was_announced_only = task is not None and task.before is not None and task.before["state"] == State.WRITING
        if entry.state is State.SKIPPED and was_announced_only and not entry.remarks:
            entry = dataclasses.replace(entry, state=State.DONE)  # it is there, and nobody was left to say so
        if self._journal is not None and entry.state is not State.SKIPPED:
            self._journal.append(entry)
        tell(entry)
        if entry.error is not None and entry.error["code"] == "disk_full":
            raise ColorizeError("The disk is full.", "Free some space, then run the same command again.")

    def _bury(self, worker: _Worker, tell: Callable[[Entry], None]) -> None:
        """A worker died: its photograph is tried once more, alone, and then quarantined."""
        self._workers.remove(worker)
        code = worker.process.wait()
        worker.channel.close()
        task = worker.task
        if task is None:
            return
        remove_leftovers(Path(task.target).parent, worker.process.pid)
        if worker.is_loading:
            self._failed_starts += 1
            if self._failed_starts >= MAX_DEATHS:
                said = f" It said: {worker.output[-1]}" if worker.output else ""
                raise BackendError(
                    f"The backend {self._plan.backend} ended its process.{said}", "Try another --backend."
                )
            self._again.append(task)
            return
        self._deaths[task.target] += 1
        is_last = self._deaths[task.target] >= MAX_DEATHS
        entry = crash_entry(task, self._rules, _in_words(code), is_last=is_last)
        if self._journal is not None:
            self._journal.append(entry)
        if is_last:
            tell(entry)
            return
        if self._journal is not None:  # it may have been written, and nobody was left to say so
            _, before = self._journal.recorded.of(task.target)
            task = dataclasses.replace(task, before=None if before is None else before.as_members())
        self._again.append(task)

    def _stop(self, tell: Callable[[Entry], None]) -> None:
        """Have what is under way end; what is being written may be finished."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.channel.send({"do": "stop"})
        end = time.monotonic() + _STOP_GRACE_S
        while any(worker.task for worker in self._workers) and (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                worker, message = self._events.get(timeout=left)
                if message is None or message["is"] == "unusable":
                    worker.task = None
                else:
                    with contextlib.suppress(ColorizeError):  # why we stop is known already
                        self._take(worker, message, tell)

    def _end(self) -> None:
        for worker in self._workers:
            worker.channel.close()  # at which it ends at once
        for worker in self._workers:
            try:
                worker.process.wait(_STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            if worker.task is not None:
                remove_leftovers(Path(worker.task.target).parent, worker.process.pid)
        self._workers.clear()


class _Waiting:
    """The photographs that nobody has taken yet, the next of them with the memory that it needs."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks
        self._next: Task | None = None
        self._need = -1

    def next(self) -> Task | None:
        """Return the next one, which stays; None after the last."""
        if self._next is None:
            self._next, self._need = next(self._tasks, None), -1
        return self._next

    def need(self, task: Task) -> int:
        """Return the memory that it needs."""
        if self._need < 0:
            self._need = needed_bytes(Path(task.source))
        return self._need

    def take(self) -> None:
        """Take it away."""
        self._next = None


def _drain(worker: _Worker) -> None:
    """Keep the last lines of what a worker prints: decoders have much to say about damaged pictures."""
    assert worker.process.stderr is not None  # noqa: S101 - start_process asks for it
    with worker.process.stderr as output:
        while line := output.readline(400):
            worker.output.append(line.decode("utf-8", "replace").rstrip())


def _in_words(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with code {code}"
