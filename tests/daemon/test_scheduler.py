"""Cancelling at the worst moments: what is given back, and whom it disturbs.  No process and no socket is needed."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from colorize_server.daemon.scheduler import Scheduler
from colorize_server.daemon.work import HeldMemory, State, Work
from colorize_server.inference.task import RawPicture, Task
from colorize_server.media_types import RAW
from colorize_server.picture.options import Options
from colorize_server.settings import Limits
from daemon_rig import until

LIMITS = Limits()


class SlowToStop:
    """An inference process that needs a while to let go of a picture, and notes what disturbs it meanwhile."""

    def __init__(self) -> None:
        self.is_ready = True
        self.is_started = asyncio.Event()
        self.may_stop = asyncio.Event()
        self.disturbances = 0

    async def ready(self) -> None:
        """Return: it always is."""

    async def run(self, *_: Any) -> Any:
        """Run until cancelled, and until `may_stop` then."""
        self.is_started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            while not self.may_stop.is_set():
                try:
                    await self.may_stop.wait()
                except asyncio.CancelledError:
                    self.disturbances += 1
            raise


def picture(memory: HeldMemory) -> Work:
    raw = RawPicture(width=16, height=16, channels=1)
    task = Task(
        options=Options(), media_type=RAW, raw=raw, wants_doubt=False, answer_type=RAW, max_pixels=999, max_side=99
    )
    work = Work("gimp/1", task, memory)
    work.hold(1000)
    return work


@pytest.fixture
async def memory() -> HeldMemory:
    return HeldMemory(LIMITS)


@pytest.fixture
async def inference() -> SlowToStop:
    return SlowToStop()


@pytest.fixture
async def scheduler(inference: SlowToStop) -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(inference, LIMITS)  # type: ignore[arg-type]
    scheduler.open()
    yield scheduler
    inference.may_stop.set()
    await scheduler.close()


async def test_memory_is_given_back_by_work_that_is_cancelled_before_its_first_step(
    scheduler: Scheduler, inference: SlowToStop, memory: HeldMemory
) -> None:
    """Its task ends without having run a line of its own."""
    work = picture(memory)
    scheduler.submit(work)
    while not scheduler.running:  # noqa: ASYNC110 - the task, once it is there, runs at the next turn of the loop
        await asyncio.sleep(0)

    scheduler.cancel(work)
    await until(lambda: not scheduler.running)

    assert not inference.is_started.is_set()
    assert work.state is State.CANCELLED
    assert memory.held_bytes == 0


async def test_cancelling_twice_is_cancelling_once(
    scheduler: Scheduler, inference: SlowToStop, memory: HeldMemory
) -> None:
    """The second time must not cut short the time that the process has for letting go."""
    first, second = picture(memory), picture(memory)
    scheduler.submit(first)
    await inference.is_started.wait()
    inference.is_started.clear()
    scheduler.submit(second)

    for _ in range(3):
        scheduler.cancel(first)
        await asyncio.sleep(0.01)

    assert inference.disturbances == 0
    assert (first.state, second.state) == (State.CANCELLED, State.QUEUED)
    inference.may_stop.set()
    await asyncio.wait_for(inference.is_started.wait(), 5)
    assert second.state is State.RUNNING


async def test_while_an_engine_is_opened_again_pictures_are_refused() -> None:
    """As while it is opened for the first time."""
    inference = SimpleNamespace(is_ready=False, is_starting=True, info=None, failure=ValueError())
    with pytest.raises(Exception, match="still loading its model"):
        Scheduler(inference, LIMITS).check_open()  # type: ignore[arg-type]
