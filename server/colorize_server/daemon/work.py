"""One request's work, from its body to its answer, and the memory that all of them hold together."""

import asyncio
import enum
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

from ..errors import BusyError, ColorizeError, OutOfMemoryError
from ..inference.memory import SharedBuffer
from ..inference.task import Answer, Task
from ..settings import Limits
from .framing import Framing, framing_of


class State(enum.StrEnum):
    """Where work stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.QUEUED, State.RUNNING)


class HeldMemory:
    """Counts the memory that bodies and answers hold, and refuses what would be too much.

    Args:
        limits: the daemon's.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._limit_bytes = limits.max_held_bytes or psutil.virtual_memory().total // 2
        self.held_bytes = 0

    def take(self, n_bytes: int, own_bytes: int = 0) -> None:
        """Count `n_bytes` more as held.

        Args:
            n_bytes: to be taken.
            own_bytes: what the same picture holds already; the machine may not have given it yet, because memory is
                taken when it is first written to.

        Raises:
            OutOfMemoryError: if the machine does not have so much.
            BusyError: if it would fit once other work is done.
        """
        free_bytes = psutil.virtual_memory().available - self._limits.min_free_bytes
        needed_bytes = own_bytes + n_bytes
        if needed_bytes > self._limit_bytes or (needed_bytes > free_bytes and self.held_bytes <= own_bytes):
            raise OutOfMemoryError(
                f"The picture needs {needed_bytes / 1e6:.0f} MB of memory, which is more than there is left.",
                "Close other programs, or use a smaller picture.",
            )
        if self.held_bytes + n_bytes > self._limit_bytes or needed_bytes > free_bytes:
            raise BusyError(
                "Other pictures hold the memory that this one needs.", "Try again in a moment.", retry_after_s=3
            )
        self.held_bytes += n_bytes

    def give_back(self, n_bytes: int) -> None:
        """Count `n_bytes` as free again."""
        self.held_bytes -= n_bytes


@dataclass(eq=False, slots=True)
class Work:
    """One picture on its way.

    Attributes:
        client: who asked; work is done in turn between clients.
        task: what is asked for.
        memory: where its memory is counted.
        id: names it towards its client; cannot be guessed.
        inputs: the body, given back as soon as the answer is there.
        state: where it stands.
        progress: how far it is, 0..1.
        answer: what came out, once it is done.
        output: the bytes of the answer.
        error: why it failed.
        made: when its body was complete (monotonic clock).
        started: when its turn came.
        ended: when it reached its final state.
    """

    client: str
    task: Task
    memory: HeldMemory
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    inputs: list[SharedBuffer] = field(default_factory=list)
    state: State = State.QUEUED
    progress: float = 0.0
    position: int = 0
    answer: Answer | None = None
    output: SharedBuffer | None = None
    error: ColorizeError | None = None
    made: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    _input_bytes: int = 0
    _output_bytes: int = 0
    _readers: int = 0
    _is_dropped: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def queue_ms(self) -> float:
        """Milliseconds spent waiting for its turn, so far."""
        until = self.started or self.ended or time.monotonic()
        return (until - self.made) * 1e3

    def hold(self, n_bytes: int) -> None:
        """Count `n_bytes` of memory for this work; see `HeldMemory.take`."""
        self.memory.take(n_bytes, self._input_bytes)
        self._input_bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Count so much of what `hold` counted as free again."""
        self.memory.give_back(n_bytes)
        self._input_bytes -= n_bytes

    def notify(self) -> None:
        """Wake everyone who waits for a change."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    async def changed(self) -> None:
        """Wait until state, position or progress changes."""
        await self._changed.wait()

    async def finished(self) -> None:
        """Wait for the final state."""
        while not self.state.is_final:
            await self._changed.wait()

    def finish(
        self, state: State, *, result: tuple[Answer, SharedBuffer] | None = None, error: ColorizeError | None = None
    ) -> None:
        """Reach a final state; a second one is ignored, and its result thrown away."""
        if self.state.is_final:
            if result is not None:
                result[1].close()
            return
        self.state = state
        self.position = 0
        self.ended = time.monotonic()
        self.error = error
        if result is not None:
            self.answer, self.output = result
            self.progress = 1.0
            # Not by take(): the memory is in use already, and an answer that is there is not refused any more.
            self._output_bytes = self.output.n_bytes
            self.memory.held_bytes += self._output_bytes
            if self._is_dropped:
                self._close_output()
        self.notify()

    def close_inputs(self) -> None:
        """Give the body's memory back; not before the inference process is done with it."""
        for buffer in self.inputs:
            buffer.close()
        self.inputs.clear()
        self.memory.give_back(self._input_bytes)
        self._input_bytes = 0

    def open_output(self) -> memoryview | None:
        """Return the answer's bytes, which stay there until `close_output`; None if they were dropped."""
        if self.output is None or self._is_dropped:
            return None
        self._readers += 1
        return self.output.view[:]

    def close_output(self) -> None:
        """Say that the bytes of `open_output` are not needed any more."""
        self._readers -= 1
        if self._is_dropped and not self._readers:
            self._close_output()

    def drop(self) -> None:
        """Give the answer's memory back, at the latest when its last reader is done."""
        self._is_dropped = True
        if not self._readers:
            self._close_output()

    def _close_output(self) -> None:
        if self.output is not None:
            self.output.close()
            self.output = None
        self.memory.give_back(self._output_bytes)
        self._output_bytes = 0

    def framing(self, answer: Answer) -> Framing:
        """Return what stands around the answer's bytes; the same each time that it is fetched."""
        return framing_of(answer, self.task.answer_type, f"colorize-{self.id}")

    def as_members(self) -> dict[str, Any]:
        """Return the job of PROTOCOL.md."""
        members: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "progress": round(self.progress, 3),
            "position": self.position,
            "timings": {f"{step}_ms": value for step, value in self.timings_ms().items()},
        }
        if self.answer is not None:
            answer, framing = self.answer, self.framing(self.answer)
            members["result"] = {
                "bytes": answer.picture_bytes + answer.doubt_bytes + answer.recipe_bytes + framing.n_bytes,
                "width": answer.width,
                "height": answer.height,
                "channels": answer.channels,
                "depth": answer.depth,
                "content_type": framing.content_type,
            }
            if answer.recipe_bytes:
                members["result"]["recipe_bytes"] = answer.recipe_bytes
            if answer.hinted is not None:
                members["result"]["hinted"] = answer.hinted
        if self.error is not None:
            members["error"] = self.error.as_dict()
        return members

    def timings_ms(self) -> dict[str, float]:
        """Return milliseconds of each step, 0 for what has not happened."""
        steps = {} if self.answer is None else self.answer.timings_ms
        return {
            "queue": round(self.queue_ms, 1),
            **{step: round(steps.get(step, 0.0), 1) for step in ("decode", "network", "picture", "encode")},
        }
