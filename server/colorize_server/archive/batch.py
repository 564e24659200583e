"""Many photographs: the journal, the workers, the bar, and what became of all of them."""

import collections
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from ..backends import GPU_BACKENDS
from ..backends.gpu import find_gpus
from ..errors import ColorizeError
from ..files import remove_leftovers
from ..interrupts import raise_again
from ..model import Model, load_model, shipped_model_path
from ..picture.colorizer import usable_cores
from .bar import stages_on
from .entry import Entry, State
from .journal import Journal, Recorded
from .one_file import colour_file
from .painter import Painter, open_painter
from .plan import BatchOptions, Job
from .pool import WORKER_COMMAND, Pool, WorkerPlan
from .room import fitting_workers, free_bytes
from .task import Rules, Task

_FAILURES: Final = (State.FAILED, State.QUARANTINED)


@dataclass
class Report:
    """What became of a batch.

    Attributes:
        made_by: model and backend; empty where nothing had to be done.
        counts: photographs by their state.
        with_pages: how many files hold pictures besides the one that was coloured.
        pages_left: how many pictures these are.
        remarks: about the journal, one sentence each.
        was_stopped: Ctrl+C ended it early.
        ended_by: what ended it early besides.
    """

    made_by: str = ""
    counts: collections.Counter[State] = field(default_factory=collections.Counter)
    with_pages: int = 0
    pages_left: int = 0
    remarks: list[str] = field(default_factory=list)
    was_stopped: bool = False
    ended_by: ColorizeError | None = None

    @property
    def done(self) -> int:
        """How many were coloured."""
        return self.counts[State.DONE]

    @property
    def failed(self) -> int:
        """How many were not."""
        return sum(self.counts[state] for state in _FAILURES)

    @property
    def skipped(self) -> int:
        """How many results were there already."""
        return self.counts[State.SKIPPED]


@dataclass(frozen=True)
class Means:
    """What a batch is done with.

    Attributes:
        backend: what computes.
        model: model file; None takes the one that ships.
        workers: how many processes; None takes as many as cores and memory bear.
        journal: the journal's file; None for none.
        worker_command: starts a worker.
    """

    backend: str = "auto"
    model: Path | None = None
    workers: int | None = None
    journal: Path | None = None
    worker_command: tuple[str, ...] = WORKER_COMMAND


def colorize_files(
    jobs: list[Job],
    batch: BatchOptions,
    means: Means,
    *,
    progress: TextIO | None = None,
    tell: Callable[[Entry], None] = lambda _: None,
) -> Report:
    """Colour photographs; one that fails does not stop the others, and Ctrl+C ends it early.

    Args:
        jobs: from `plan_outputs`.
        batch: what is wanted.
        means: what it is done with.
        progress: where a progress bar goes, over many photographs or through the only one; None for none.
        tell: called after each photograph, skipped ones included.

    Returns:
        What became of them.

    Raises:
        ModelError, BackendError, SizeNotOfferedError: nothing can be coloured at all.
        OutputError, PictureError: the journal cannot be read or written.
    """
    report = Report()
    if batch.skip_existing:
        waiting = [job for job in jobs if not os.path.lexists(job.target)]
        report.counts[State.SKIPPED] = len(jobs) - len(waiting)
        jobs = waiting
    if not jobs:
        return report
    model = load_model(means.model or shipped_model_path())
    model.card.check_size(batch.options.size)
    rules = Rules(batch, model.sha256, means.journal is not None)

    def settle(entry: Entry) -> None:
        report.counts[entry.state] += 1
        if entry.pages_left and entry.state is State.DONE:
            report.with_pages += 1
            report.pages_left += entry.pages_left
        tell(entry)

    raise_again()  # from here on there is something to tell
    try:
        if len(jobs) == 1 and means.journal is None:
            report.made_by = _colour_one(jobs[0], rules, model, means, progress, settle)
        else:
            _colour_many(jobs, rules, model, means, progress, settle, report)
    except KeyboardInterrupt:
        report.was_stopped = True
    return report


def _colour_one(
    job: Job, rules: Rules, model: Model, means: Means, progress: TextIO | None, settle: Callable[[Entry], None]
) -> str:
    """Colour a single photograph in this process, with all cores; return model and backend."""
    painters: list[Painter] = []

    def opened() -> Painter:
        painters.append(open_painter(model, means.backend))
        return painters[0]

    try:
        with stages_on(progress) as stages:
            entry = colour_file(_task(job, rules, Recorded()), rules, opened, stages=stages)
        settle(entry)
        return painters[0].made_by if painters else ""
    finally:
        for painter in painters:
            painter.close()


def _colour_many(
    jobs: list[Job],
    rules: Rules,
    model: Model,
    means: Means,
    progress: TextIO | None,
    settle: Callable[[Entry], None],
    report: Report,
) -> None:
    plan = plan_workers(len(jobs), model.path, means)
    with contextlib.ExitStack() as stack:
        journal: Journal | None = None
        recorded = Recorded()
        if means.journal is not None:
            journal = stack.enter_context(contextlib.closing(Journal(means.journal)))
            recorded = journal.recorded
            report.remarks += recorded.remarks
            for folder in {job.target.parent for job in jobs}:  # the journal's lock says that no other run writes
                remove_leftovers(folder)
            journal.begin(photographs=len(jobs), workers=plan.count, model=model.sha256, backend=means.backend)
        pool = Pool(plan, rules, journal)
        show = stack.enter_context(_bar(len(jobs), progress))

        def told(entry: Entry) -> None:
            settle(entry)
            show(entry)

        try:
            pool.run((_task(job, rules, recorded) for job in jobs), told)
        except ColorizeError as error:
            if not report.counts:
                raise
            report.ended_by = error
        finally:
            report.made_by = pool.made_by


def plan_workers(photographs: int, model: Path, means: Means) -> WorkerPlan:
    """Decide how many workers there are: as many as cores and memory bear, and no more than photographs.

    A graphics card has one: several would hold its memory several times, and wait for each other.
    """
    budget = free_bytes()
    count = min(photographs, means.workers or (1 if _needs_card(means.backend) else fitting_workers(budget)))
    threads = max(1, usable_cores() // count)
    return WorkerPlan(count, threads, model, means.backend, budget, means.worker_command)


def _needs_card(backend: str) -> bool:
    return backend in GPU_BACKENDS or (backend == "auto" and bool(find_gpus().gpus))


def _task(job: Job, rules: Rules, recorded: Recorded) -> Task:
    source, target = (os.path.abspath(path) for path in (job.source, job.target))  # noqa: PTH100 - links stay links
    latest, before = recorded.of(target)
    is_quarantined = latest is not None and latest.state is State.QUARANTINED
    hints = job.hints or rules.batch.hints
    return Task(
        source if rules.has_journal else str(job.source),
        target if rules.has_journal else str(job.target),
        job.id,
        job.sha256,
        "" if hints is None else str(hints),
        "" if rules.batch.doubt is None else str(rules.batch.doubt),
        None if before is None else before.as_members(),
        latest.as_members() if latest is not None and is_quarantined else None,
        job.page,
    )


@contextlib.contextmanager
def _bar(photographs: int, stream: TextIO | None) -> Iterator[Callable[[Entry], None]]:
    """Show photographs, megapixels, time left and failures on a terminal."""
    if stream is None or not stream.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm  # only those who look need it

    megapixels = failed = 0.0
    with tqdm(total=photographs, file=stream, unit="photo", dynamic_ncols=True) as bar:

        def show(entry: Entry) -> None:
            nonlocal megapixels, failed
            megapixels += entry.width * entry.height / 1e6 if entry.state is State.DONE else 0
            failed += entry.state in _FAILURES
            bar.set_postfix(megapixels=f"{megapixels:.0f}", failed=f"{failed:.0f}", refresh=False)
            bar.update()

        yield show
