"""Many photographs, one after the other."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ..backends import open_backend
from ..interrupts import raise_again
from ..model import load_model, shipped_model_path
from ..picture.colorizer import Colorizer
from .bar import stages_on
from .one_file import Done, Failed, outcome
from .plan import BatchOptions, Job


@dataclass
class Report:
    """What became of a batch.

    Attributes:
        made_by: model and backend; empty where nothing had to be done.
        done: what was coloured.
        failed: what was not, and why.
        skipped: how many results were there already.
        was_stopped: Ctrl+C ended it early.
    """

    made_by: str = ""
    done: list[Done] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    skipped: int = 0
    was_stopped: bool = False


def colorize_files(
    jobs: list[Job],
    batch: BatchOptions,
    *,
    backend_name: str = "auto",
    model_path: Path | None = None,
    progress: TextIO | None = None,
    tell: Callable[[Done | Failed], None] = lambda _: None,
) -> Report:
    """Colour photographs one after the other; one that fails does not stop the others, and Ctrl+C ends it early.

    Args:
        jobs: from `plan_outputs`.
        batch: what is wanted.
        backend_name: what computes.
        model_path: model file; None takes the one that ships.
        progress: where a progress bar goes, over many photographs or through the only one; None for none.
        tell: called after each photograph.

    Returns:
        What was written and what failed.

    Raises:
        ModelError, BackendError, SizeNotOfferedError: nothing can be coloured at all.
    """
    waiting = [job for job in jobs if not (batch.skip_existing and os.path.lexists(job.target))]
    report = Report(skipped=len(jobs) - len(waiting))
    if not waiting:  # a model takes longer to load than names to look at
        return report
    model = load_model(model_path or shipped_model_path())
    model.card.check_size(batch.options.size)
    backend = open_backend(backend_name, model)
    report.made_by = (
        f"{model.card.name} {model.card.version} ({model.sha256[:12]}) with {backend.name} on {backend.device}"
    )
    colorizer = Colorizer(backend, model)
    raise_again()  # from here on there is something to tell
    try:
        for job in _with_progress(waiting, progress):
            with stages_on(progress if len(waiting) == 1 else None) as stages:
                result = outcome(colorizer, job, batch, stages)
            if isinstance(result, Done):
                report.done.append(result)
            else:
                report.failed.append(result)
            tell(result)
    except KeyboardInterrupt:
        report.was_stopped = True
    finally:
        colorizer.close()
        backend.close()
    return report


def _with_progress(jobs: list[Job], stream: TextIO | None) -> Iterable[Job]:
    if stream is None or len(jobs) < 2:
        return jobs
    from tqdm import tqdm  # only many photographs need it

    bar: Iterable[Job] = tqdm(jobs, file=stream, unit="photo", disable=None)
    return bar
