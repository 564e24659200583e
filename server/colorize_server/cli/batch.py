"""Many photographs from files to files, and what happens when one of them fails."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..backends import open_backend
from ..errors import ColorizeError, HintsError, OutOfMemoryError, OutputError, PictureError
from ..formats.decode import decode_hints, decode_picture
from ..formats.encode import ENCODED_TYPES, encode_grey, encode_picture
from ..model import load_model, shipped_model_path
from ..picture.colorizer import Colorizer
from ..picture.hints import check_strokes
from .bar import Stages, stages_on
from .plan import BatchOptions, Job


@dataclass(frozen=True, slots=True)
class Done:
    """One photograph that was coloured."""

    source: Path
    target: Path
    width: int
    height: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """One photograph that was not, and why."""

    source: Path
    reason: str


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
    try:
        for job in _with_progress(waiting, progress):
            with stages_on(progress if len(waiting) == 1 else None) as stages:
                outcome = _outcome(colorizer, job, batch, stages)
            if isinstance(outcome, Done):
                report.done.append(outcome)
            else:
                report.failed.append(outcome)
            tell(outcome)
    except KeyboardInterrupt:
        report.was_stopped = True
    finally:
        colorizer.close()
        backend.close()
    return report


def _outcome(colorizer: Colorizer, job: Job, batch: BatchOptions, stages: Stages) -> Done | Failed:
    """Colour one photograph; whatever goes wrong with it concerns it alone."""
    try:
        return _colorize_file(colorizer, job, batch, stages)
    except ColorizeError as error:
        return Failed(job.source, str(error))
    except MemoryError:
        full = OutOfMemoryError("The picture is too large for the memory that is left.", "Close other programs.")
        return Failed(job.source, str(full))
    except OSError as error:  # a name that the file system refuses, a folder that may not be entered
        place = f" ({error.filename})" if error.filename else ""
        return Failed(job.source, f"{error.strerror or error}{place}. Choose another folder or a shorter name with -o.")


def _with_progress(jobs: list[Job], stream: TextIO | None) -> Iterable[Job]:
    if stream is None or len(jobs) < 2:
        return jobs
    from tqdm import tqdm  # only many photographs need it

    bar: Iterable[Job] = tqdm(jobs, file=stream, unit="photo", disable=None)
    return bar


def _colorize_file(colorizer: Colorizer, job: Job, batch: BatchOptions, stages: Stages) -> Done:
    began = time.monotonic()
    targets = [job.target] + ([batch.doubt] if batch.doubt else [])
    for target in targets:
        if target.exists() and not batch.overwrite:
            raise OutputError(f"{target} exists already.", "Use --overwrite to replace it.", code="output_exists")
        for read, what in ((job.source, "the photograph itself"), (batch.hints, "the picture of the hints")):
            if read is not None and target.exists() and read.exists() and target.samefile(read):
                raise OutputError(f"{target} is {what}.", "Write the result elsewhere.", code="output_exists")
    with stages.reading().alive():
        photograph = decode_picture(_read(job.source))
        hints = None if batch.hints is None else _hints(batch.hints)
    doubt = np.empty((photograph.height, photograph.width), np.uint8) if batch.doubt else None
    pixels, _ = colorizer.colorize(
        photograph, batch.options, hints=hints, doubt_out=doubt, control=stages.colouring(), keep_profile=False
    )
    with stages.writing().alive():
        media_type = ENCODED_TYPES[job.target.suffix.lower()]
        write_whole(job.target, encode_picture(pixels, photograph.metadata, media_type))
        if batch.doubt is not None and doubt is not None:
            write_whole(batch.doubt, encode_grey(doubt))
    return Done(job.source, job.target, photograph.width, photograph.height, time.monotonic() - began)


def _hints(path: Path) -> NDArray[np.uint8]:
    try:
        hints = decode_hints(_read(path))
        check_strokes(hints)
        return hints
    except ColorizeError as error:
        raise HintsError(f"The hints, {path}: {error.message}", error.hint) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"It cannot be read: {error.strerror or error}.") from error


def write_whole(target: Path, data: bytes) -> None:
    """Write a file wholly or not at all: under a temporary name beside it, then renamed.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=target.parent)  # no longer than the name it gets
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"The disk is full: {target} was not written.", "Free some space and try again."
            ) from error
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}.",
            "Choose another folder with -o.",
            code="not_writable",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
