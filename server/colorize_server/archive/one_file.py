"""One photograph from file to file, whoever asks: one process, one of many, or a worker of a cluster."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, ColorizeError, HintsError, ModelError, OutOfMemoryError, OutputError, PictureError
from ..files import write_whole
from ..formats.decode import decode_hints, decode_picture, remark_on_pages
from ..picture.hints import check_strokes
from .bar import Stages
from .entry import Entry, State
from .finished import Content, finished_pages, finished_picture, pages_left, takes_all_pages
from .painter import Painter
from .plan import ALL_PAGES, BatchOptions
from .task import Rules, Task

ELSEWHERE: Final = "choose another folder with -o"
"""What to do where a result cannot be written."""


class Files(Protocol):
    """Where photographs and results are."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            PictureError: it cannot be read.
        """

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""

    def is_same(self, name: str, other: str) -> bool:
        """Return whether two names are of one file."""

    def write(self, name: str, content: Content, announce: Callable[[str], None] | None = None) -> None:
        """Write a file wholly or not at all, and announce its SHA-256 before it is there; see `files.write_whole`.

        Raises:
            OutputError: it cannot be written.
        """


class LocalFiles:
    """Files of this machine; see `Files`."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes; one that changes meanwhile is refused."""
        try:
            with Path(name).open("rb") as file:
                before = os.fstat(file.fileno())
                data = file.read()
                after = Path(name).stat()
        except OSError as error:
            raise PictureError(f"It cannot be read: {error.strerror or error}.") from error
        if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
            raise PictureError("It changed while it was read.", "Run the command again.", code="source_changed")
        return data

    def exists(self, name: str) -> bool:
        """Return whether there is such a file, or a link that leads nowhere."""
        return os.path.lexists(name)

    def is_same(self, name: str, other: str) -> bool:
        """Return whether two names are of one file."""
        return Path(name).exists() and Path(other).exists() and Path(name).samefile(other)

    def write(self, name: str, content: Content, announce: Callable[[str], None] | None = None) -> None:
        """Write a file; see `Files.write`."""
        write_whole(Path(name), content, ELSEWHERE, announce=announce)


def colour_file(
    task: Task,
    rules: Rules,
    open_painter: Callable[[], Painter],
    *,
    files: Files | None = None,
    stages: Stages | None = None,
    announce: Callable[[Entry], None] = lambda _: None,
) -> Entry:
    """Colour one photograph; whatever goes wrong with it concerns it alone.

    Args:
        task: the photograph.
        rules: what is wanted.
        open_painter: returns the model; only called where something has to be computed.
        files: where files are; None for this machine's.
        stages: is told how far it is, and can cancel it.
        announce: called with the finished entry before the result is written.

    Returns:
        What became of it.

    Raises:
        ModelError, BackendError: the painter cannot be opened.
        CancelledError: it was cancelled.
    """
    entry = Entry(state=State.FAILED, source=task.source, target=task.target, id=task.id)
    painter: list[Painter] = []

    def opened() -> Painter:
        painter.append(open_painter())
        return painter[0]

    try:
        return _colour(entry, task, rules, opened, files or LocalFiles(), stages or Stages(), announce)
    except ColorizeError as error:
        if error.code == "cancelled" or (not painter and isinstance(error, (ModelError, BackendError))):
            raise
        return entry.failed(error)
    except MemoryError:
        full = OutOfMemoryError("The picture is too large for the memory that is left.", "Close other programs.")
        return entry.failed(full)
    except OSError as error:  # a name that the file system refuses, a folder that may not be entered
        place = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{place}."
        return entry.failed(OutputError(message, "Choose another folder or a shorter name with -o.", code="bad_name"))


def _colour(
    entry: Entry,
    task: Task,
    rules: Rules,
    open_painter: Callable[[], Painter],
    files: Files,
    stages: Stages,
    announce: Callable[[Entry], None],
) -> Entry:
    began = time.monotonic()
    batch = rules.batch
    for target in filter(None, (task.target, task.doubt)):
        _check_target(target, task, rules, files)
    with stages.reading().alive():
        data = files.read(task.source)
        hint_data = _read_hints(files, task.hints)
    entry = replace(
        entry,
        source_sha256=_sha256(data),
        model_sha256=rules.model_sha256,
        options=options_record(batch, hint_data, task.page),
    )
    if task.sha256 and task.sha256 != entry.source_sha256:
        raise PictureError(
            "Its file is not the one of the manifest: the SHA-256 differs.", "Restore the file.", code="source_changed"
        )
    settled = _settled(entry, task, rules, files)
    if settled is not None:
        return settled
    painter = open_painter()
    with stages.reading().alive():
        page = task.page or (1 if batch.page == ALL_PAGES else batch.page) or None
        photograph = decode_picture(data, page=page)
        hints = None if hint_data is None else _hints(task.hints, hint_data)
    left = pages_left(photograph, task, batch)
    if takes_all_pages(data, photograph, task, batch):
        finished, left = (
            finished_pages(painter, data, photograph, task, batch, stages),
            0,
        )
    else:
        del data
        finished = finished_picture(painter, photograph, hints, task, batch, lambda: files.read(task.source), stages)
    entry = replace(
        entry,
        state=State.DONE,
        target=finished.target,
        width=photograph.width,
        height=photograph.height,
        depth=8 * photograph.pixels.itemsize,
        profile=photograph.profile.name,
        model=painter.title,
        backend=painter.place,
        network_s=round(finished.network_s, 4),
        doubt=finished.doubt,
        pages_left=left,
        remarks=(*remark_on_pages(left), *finished.remarks),
    )

    def announced(sha256: str) -> None:
        nonlocal entry
        entry = replace(entry, target_sha256=sha256, seconds=round(time.monotonic() - began, 3))
        announce(replace(entry, state=State.WRITING))

    with stages.writing().alive():
        if finished.target != task.target:
            _check_target(finished.target, task, rules, files)
        files.write(finished.target, finished.content(), announced)
        if finished.doubt_picture is not None:
            files.write(task.doubt, finished.doubt_picture)
    return replace(entry, seconds=round(time.monotonic() - began, 3))


def _check_target(target: str, task: Task, rules: Rules, files: Files) -> None:
    """Refuse to write over what is read, and over what nobody allowed to be replaced."""
    for read, what in ((task.source, "the photograph itself"), (task.hints, "the picture of the hints")):
        if read and files.is_same(target, read):
            raise OutputError(f"{target} is {what}.", "Write the result elsewhere.", code="output_exists")
    is_kept = rules.has_journal or rules.batch.overwrite or rules.batch.skip_existing
    if not is_kept and files.exists(target):
        raise OutputError(f"{target} exists already.", "Use --overwrite to replace it.", code="output_exists")


def _settled(entry: Entry, task: Task, rules: Rules, files: Files) -> Entry | None:
    """Return the entry of a photograph for which nothing is left to do, or None.

    Args:
        entry: what is wanted, by its hashes.
        task: what the journal says.
        rules: what may be replaced.
        files: where the result is.
    """
    if rules.batch.overwrite:
        return None
    if task.quarantined is not None and (crashed := Entry.from_members(task.quarantined)).agrees_with(entry):
        return crashed
    before = None if task.before is None else Entry.from_members(task.before)
    target = task.target if before is None else before.target
    if not files.exists(target):
        return None
    if before is None:
        return replace(entry, state=State.SKIPPED, remarks=("The result is there already; no journal knows it.",))
    is_ours = _sha256(files.read(target)) == before.target_sha256
    if not is_ours:
        return replace(entry, state=State.SKIPPED, remarks=("The result was changed since; it is kept as it is.",))
    return replace(before, state=State.SKIPPED) if before.agrees_with(entry) else None


def crash_entry(task: Task, rules: Rules, how: str, *, is_last: bool, files: Files | None = None) -> Entry:
    """Return the entry of a photograph whose worker died.

    Args:
        task: the photograph.
        rules: what was wanted.
        how: the end of its worker, in words.
        is_last: it is not tried again.
        files: see `colour_file`.
    """
    files = files or LocalFiles()
    entry = Entry(
        state=State.FAILED, source=task.source, target=task.target, id=task.id, model_sha256=rules.model_sha256
    )
    with contextlib.suppress(ColorizeError):  # it may be gone; then nothing has to be recognised either
        hints = _read_hints(files, task.hints)
        entry = replace(
            entry,
            source_sha256=_sha256(files.read(task.source)),
            options=options_record(rules.batch, hints, task.page),
        )
    if is_last:
        error = PictureError(
            f"It ended its process twice ({how}), and is left alone from now on.",
            "Save it again with another program, or use --overwrite to try it once more.",
            code="quarantined",
        )
        return entry.failed(error, State.QUARANTINED)
    return entry.failed(PictureError(f"It ended its process ({how}).", code="crashed"), State.CRASHED)


def options_record(batch: BatchOptions, hints: bytes | None, page: int = 0) -> dict[str, Any]:
    """Return everything that was asked for and changes the result, as plain values."""
    record: dict[str, Any] = {name: value for name, value in asdict(batch.options).items() if value is not None}
    record |= {"layered": True} if batch.layered else {}
    record |= {} if batch.provenance else {"provenance": False}
    record |= {"page": page or batch.page} if page or batch.page else {}
    record |= {"signed": True} if batch.signing is not None else {}
    return record if hints is None else {**record, "hints_sha256": _sha256(hints)}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_hints(files: Files, name: str) -> bytes | None:
    if not name:
        return None
    try:
        return files.read(name)
    except ColorizeError as error:
        raise HintsError(f"The hints, {name}: {error.message}", error.hint) from error


def _hints(name: str, data: bytes) -> NDArray[np.uint8]:
    try:
        hints = decode_hints(data)
        check_strokes(hints)
        return hints
    except ColorizeError as error:
        raise HintsError(f"The hints, {name}: {error.message}", error.hint) from error
