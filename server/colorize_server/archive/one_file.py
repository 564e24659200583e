"""One photograph from file to file, whoever asks: one process, one of many, or a worker of a cluster."""

import contextlib
import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, ColorizeError, HintsError, ModelError, OutOfMemoryError, OutputError, PictureError
from ..formats.decode import decode_hints, decode_picture
from ..formats.encode import ENCODED_TYPES, encode_grey, encode_picture
from ..picture.hints import check_strokes
from .bar import Stages
from .entry import Entry, State
from .painter import Painter
from .plan import BatchOptions

TEMPORARY_PREFIX: Final = ".colorize-"
"""How the names of files begin that are being written; the id of the process that writes them follows."""


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

    def write(self, name: str, data: bytes) -> None:
        """Write a file wholly or not at all.

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

    def write(self, name: str, data: bytes) -> None:
        """Write a file; see `write_whole`."""
        write_whole(Path(name), data)


@dataclass(frozen=True, slots=True)
class Task:
    """One photograph to be coloured.

    Attributes:
        source: name of the photograph.
        target: name of the result.
        id: what a manifest calls it.
        sha256: what a manifest says of the photograph's file; empty where it says nothing.
        hints: name of a PNG with strokes of colour, or empty.
        doubt: where to write the doubt picture, or empty.
        before: what the journal says was written last, as members; None where nothing was, or there is no journal.
        quarantined: what the journal says of it if it kills workers, as members.
    """

    source: str
    target: str
    id: str = ""
    sha256: str = ""
    hints: str = ""
    doubt: str = ""
    before: dict[str, Any] | None = None
    quarantined: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every photograph of a run.

    Attributes:
        batch: what is wanted.
        model_sha256: of the model's file.
        has_journal: results that are there already are compared by hash with what the journal says.
    """

    batch: BatchOptions
    model_sha256: str
    has_journal: bool = False


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
    _check_targets(task, rules, files)
    with stages.reading().alive():
        data = files.read(task.source)
        hint_data = _read_hints(files, task.hints)
    entry = replace(
        entry,
        source_sha256=_sha256(data),
        model_sha256=rules.model_sha256,
        options=options_record(batch, hint_data),
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
        photograph = decode_picture(data)
        hints = None if hint_data is None else _hints(task.hints, hint_data)
    del data
    control = stages.colouring()
    doubt = np.empty((photograph.height, photograph.width), np.uint8) if task.doubt else None
    generated = painter.colorizer.generate(photograph, batch.options, hints=hints, control=control)
    pixels = painter.colorizer.lay(
        photograph, batch.options, generated, doubt_out=doubt, control=control, keep_profile=False
    )
    with stages.writing().alive():
        media_type = ENCODED_TYPES[PurePosixPath(task.target).suffix.lower()]
        encoded = encode_picture(pixels, photograph.metadata, media_type, quick=batch.quick)
        entry = replace(
            entry,
            state=State.DONE,
            target_sha256=_sha256(encoded),
            width=photograph.width,
            height=photograph.height,
            depth=8 * photograph.pixels.itemsize,
            profile=photograph.profile.name,
            model=painter.title,
            backend=painter.place,
            network_s=round(generated.network_ms / 1000, 4),
            doubt=round(float(generated.doubt.mean()), 2),
            seconds=round(time.monotonic() - began, 3),
        )
        announce(replace(entry, state=State.WRITING))
        files.write(task.target, encoded)
        if doubt is not None:
            files.write(task.doubt, encode_grey(doubt))
    return replace(entry, seconds=round(time.monotonic() - began, 3))


def _check_targets(task: Task, rules: Rules, files: Files) -> None:
    """Refuse to write over what is read, and over what nobody allowed to be replaced."""
    for target in (task.target, task.doubt):
        if not target:
            continue
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
    if not files.exists(task.target):
        return None
    if task.before is None:
        return replace(entry, state=State.SKIPPED, remarks=("The result is there already; no journal knows it.",))
    before = Entry.from_members(task.before)
    is_ours = _sha256(files.read(task.target)) == before.target_sha256
    if not is_ours:
        return replace(entry, state=State.SKIPPED, remarks=("The result was changed since; it is kept as it is.",))
    return replace(before, state=State.SKIPPED) if before.agrees_with(entry) else None


def crash_entry(task: Task, rules: Rules, how: str, *, is_last: bool) -> Entry:
    """Return the entry of a photograph whose worker died.

    Args:
        task: the photograph.
        rules: what was wanted.
        how: the end of its worker, in words.
        is_last: it is not tried again.
    """
    files = LocalFiles()
    entry = Entry(
        state=State.FAILED, source=task.source, target=task.target, id=task.id, model_sha256=rules.model_sha256
    )
    with contextlib.suppress(ColorizeError):  # it may be gone; then nothing has to be recognised either
        hints = _read_hints(files, task.hints)
        entry = replace(
            entry,
            source_sha256=_sha256(files.read(task.source)),
            options=options_record(rules.batch, hints),
        )
    if is_last:
        error = PictureError(
            f"It ended its process twice ({how}), and is left alone from now on.",
            "Save it again with another program, or use --overwrite to try it once more.",
            code="quarantined",
        )
        return entry.failed(error, State.QUARANTINED)
    return entry.failed(PictureError(f"It ended its process ({how}).", code="crashed"), State.CRASHED)


def options_record(batch: BatchOptions, hints: bytes | None) -> dict[str, Any]:
    """Return everything that was asked for and changes the result, as plain values."""
    record: dict[str, Any] = {name: value for name, value in asdict(batch.options).items() if value is not None}
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


def write_whole(target: Path, data: bytes) -> None:
    """Write a file wholly or not at all: under a temporary name beside it, then renamed.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", dir=target.parent)
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
