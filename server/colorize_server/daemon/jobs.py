"""Work for clients that cannot hold a request open: kept by its id, with results that expire."""

import time
from collections import OrderedDict
from typing import Final

from ..errors import RefusedError
from ..settings import Limits
from .scheduler import Scheduler
from .work import State, Work

_MAX_REMEMBERED: Final = 2048
"""Ids of jobs that are gone, so that their clients learn that they were there."""


class Jobs:
    """The jobs that there are, and the ids of those that were.

    Args:
        scheduler: cancels what nobody wants any more.
        limits: the daemon's.
    """

    def __init__(self, scheduler: Scheduler, limits: Limits) -> None:
        self._scheduler = scheduler
        self._limits = limits
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._asked_at: dict[str, float] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._fetched: set[str] = set()

    @property
    def unfetched(self) -> int:
        """How many results are kept: finished ones not yet fetched, and those of jobs still at work."""
        waiting = (State.QUEUED, State.RUNNING, State.DONE)
        return sum(work.state in waiting and work.id not in self._fetched for work in self._jobs.values())

    def fetched(self, work: Work) -> None:
        """Note that a result reached its client."""
        if work.id in self._jobs:
            self._fetched.add(work.id)

    def add(self, work: Work) -> None:
        """Keep a new job."""
        self._jobs[work.id] = work
        self._asked_at[work.id] = time.monotonic()

    def get(self, job_id: str) -> Work:
        """Return a job.

        Raises:
            RefusedError: if there is none of that id, or its result has expired.
        """
        work = self._jobs.get(job_id)
        if work is not None:
            self._asked_at[job_id] = time.monotonic()
            return work
        if job_id in self._gone:
            raise expired_error()
        raise RefusedError("There is no such job.", "Send the picture again.", code="job_unknown", status=404)

    def delete(self, job_id: str) -> None:
        """Cancel a job that is not finished, forget the result of one that is.

        Raises:
            RefusedError: if there never was such a job.
        """
        if job_id in self._gone:
            return
        work = self.get(job_id)
        if work.state.is_final and work.state is not State.CANCELLED:
            self._forget(work)
        else:
            self._scheduler.cancel(work)

    def sweep(self) -> None:
        """Forget what is too old or too much, cancel what nobody asks about; called once a second."""
        now = time.monotonic()
        held_bytes = 0
        for work in reversed(list(self._jobs.values())):
            if not work.state.is_final:
                if now - self._asked_at[work.id] > self._limits.abandoned_job_s:
                    self._scheduler.cancel(work)
                continue
            n_bytes = 0 if work.output is None else work.output.n_bytes
            held_bytes += n_bytes
            too_much = held_bytes > self._limits.max_result_bytes and held_bytes > n_bytes  # never the newest
            if too_much or now - (work.ended or now) > self._limits.result_lifetime_s:
                self._forget(work)
                held_bytes -= n_bytes

    def close(self) -> None:
        """Forget all jobs."""
        for work in list(self._jobs.values()):
            self._forget(work)

    def _forget(self, work: Work) -> None:
        work.drop()
        del self._jobs[work.id]
        del self._asked_at[work.id]
        self._fetched.discard(work.id)
        self._gone[work.id] = None
        while len(self._gone) > _MAX_REMEMBERED:
            self._gone.popitem(last=False)


def expired_error() -> RefusedError:
    """Return what a client gets that comes too late for its result."""
    return RefusedError("The job's result has expired.", "Send the picture again.", code="job_expired", status=410)
