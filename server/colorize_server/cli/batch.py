"""Many photographs from files to files: what is read, where it goes, and what happens when one of them fails."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from ..backends import open_backend
from ..errors import ColorizeError, HintsError, OutOfMemoryError, OutputError, PictureError
from ..formats.decode import decode_hints, decode_picture
from ..formats.encode import ENCODED_TYPES, encode_grey, encode_picture
from ..model import load_model, shipped_model_path
from ..picture.colorizer import Colorizer
from ..picture.options import Options, Output

PHOTO_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"})
"""Endings that are looked for in folders; a file that is named may end as it likes."""
_MARKS: Final = {Output.COMPOSITE: "colour", Output.LAYER: "colour-layer"}


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is wanted of every photograph of a batch.

    Attributes:
        options: for the picture path.
        hints: PNG with strokes of colour; only with a single photograph.
        doubt: where to write the doubt picture; only with a single photograph.
        overwrite: replace files that exist.
    """

    options: Options
    hints: Path | None = None
    doubt: Path | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One photograph and where its result goes."""

    source: Path
    target: Path


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
    """What became of a batch."""

    made_by: str
    done: list[Done] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)


def plan_outputs(photos: Iterable[Path], output: Path | None, options: BatchOptions) -> list[Job]:
    """Find the photographs and decide where each result goes.

    Args:
        photos: files, and folders (whose photographs are taken, subfolders included).
        output: a file for a single photograph, a folder for many; None writes beside each photograph.
        options: for the names, and for what fits only a single photograph.

    Raises:
        OutputError: two results would have the same name, or the output cannot be written in that format.
        PictureError: a folder holds no photographs.
    """
    sources: list[tuple[Path, Path]] = []
    named = list(photos)
    for photo in named:
        if photo.is_dir():
            found = sorted(p for p in photo.rglob("*") if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file())
            marks = tuple(f".{mark}" for mark in _MARKS.values())
            found = [p for p in found if not p.stem.endswith(marks)]
            if not found:
                raise PictureError(
                    f"The folder {photo} holds no photographs.", "PNG, JPEG, TIFF and WebP are looked for."
                )
            sources += [(p, p.relative_to(photo).parent) for p in found]
        else:
            sources.append((photo, Path()))
    single = len(sources) == 1
    if not single and (options.hints or options.doubt):
        raise OutputError("--hints and --doubt go with a single photograph.", code="bad_parameter")
    if options.doubt is not None and options.doubt.suffix.lower() != ".png":
        raise OutputError(
            f"{options.doubt} cannot be written: the doubt picture is a PNG.",
            "Give --doubt a name that ends in .png.",
            code="bad_parameter",
        )
    as_file = output is not None and output.suffix.lower() in ENCODED_TYPES and not output.is_dir()
    if as_file and not single:
        raise OutputError(
            f"{output} is the name of one picture, and there are {len(sources)} photographs.",
            "Name a folder with -o, or colour them one by one.",
            code="bad_parameter",
        )
    if output is not None and not as_file and len(named) == 1 and not named[0].is_dir():
        _check_folder(output)
    mark = _MARKS[options.options.output]
    jobs = []
    for source, below in sources:
        if as_file and output is not None:
            target = output
        else:
            ending = ".tif" if source.suffix.lower() in (".tif", ".tiff") else ".png"
            folder = source.parent if output is None else output / below
            target = folder / f"{source.stem}.{mark}{ending}"
        jobs.append(Job(source, target))
    _check_targets(jobs, options)
    return jobs


def _check_folder(output: Path) -> None:
    """Refuse a new folder for a single photograph whose name looks like that of a file."""
    if output.suffix and not output.is_dir():
        raise OutputError(
            f"{output} cannot be written: pictures are written as PNG, TIFF or JPEG.",
            f"Name a file that ends in .png, .tif or .jpg; if {output} is meant as a folder, make it first.",
            code="bad_parameter",
        )


def _check_targets(jobs: list[Job], options: BatchOptions) -> None:
    taken: dict[Path, Path] = {}
    for job in jobs:
        media_type = ENCODED_TYPES.get(job.target.suffix.lower())
        if media_type == "image/jpeg" and options.options.output is Output.LAYER:
            raise OutputError(
                "A layer cannot be a JPEG: its losses would show as wrong colours.",
                "Write a PNG or TIFF.",
                code="bad_parameter",
            )
        if options.doubt is not None and options.doubt.resolve() == job.target.resolve():
            raise OutputError(
                f"The doubt picture would replace the result, {job.target}.",
                "Give --doubt another name.",
                code="bad_parameter",
            )
        if job.target in taken:
            raise OutputError(
                f"{taken[job.target]} and {job.source} would both be written to {job.target}.",
                "Give them different names, or do them one by one.",
                code="output_exists",
            )
        taken[job.target] = job.source


def colorize_files(
    jobs: list[Job],
    batch: BatchOptions,
    *,
    backend_name: str = "auto",
    model_path: Path | None = None,
    progress: TextIO | None = None,
) -> Report:
    """Colour photographs one after the other; one that fails does not stop the others.

    Args:
        jobs: from `plan_outputs`.
        batch: what is wanted.
        backend_name: what computes.
        model_path: model file; None takes the one that ships.
        progress: where a progress bar goes when there are many; None for none.

    Returns:
        What was written and what failed.

    Raises:
        ModelError, BackendError, SizeNotOfferedError: nothing can be coloured at all.
    """
    model = load_model(model_path or shipped_model_path())
    model.card.check_size(batch.options.size)
    backend = open_backend(backend_name, model)
    report = Report(
        f"{model.card.name} {model.card.version} ({model.sha256[:12]}) with {backend.name} on {backend.device}"
    )
    colorizer = Colorizer(backend, model)
    try:
        for job in _with_progress(jobs, progress):
            try:
                report.done.append(_colorize_file(colorizer, job, batch))
            except ColorizeError as error:
                report.failed.append(Failed(job.source, str(error)))
            except MemoryError:
                full = OutOfMemoryError(
                    "The picture is too large for the memory that is left.", "Close other programs."
                )
                report.failed.append(Failed(job.source, str(full)))
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


def _colorize_file(colorizer: Colorizer, job: Job, batch: BatchOptions) -> Done:
    began = time.monotonic()
    targets = [job.target] + ([batch.doubt] if batch.doubt else [])
    for target in targets:
        if target.exists() and not batch.overwrite:
            raise OutputError(f"{target} exists already.", "Use --overwrite to replace it.", code="output_exists")
        for read, what in ((job.source, "the photograph itself"), (batch.hints, "the picture of the hints")):
            if read is not None and target.exists() and read.exists() and target.samefile(read):
                raise OutputError(f"{target} is {what}.", "Write the result elsewhere.", code="output_exists")
    photograph = decode_picture(_read(job.source))
    hints = None if batch.hints is None else _hints(batch.hints)
    doubt = np.empty((photograph.height, photograph.width), np.uint8) if batch.doubt else None
    pixels, _ = colorizer.colorize(photograph, batch.options, hints=hints, doubt_out=doubt, keep_profile=False)
    media_type = ENCODED_TYPES[job.target.suffix.lower()]
    write_whole(job.target, encode_picture(pixels, photograph.metadata, media_type))
    if batch.doubt is not None and doubt is not None:
        write_whole(batch.doubt, encode_grey(doubt))
    return Done(job.source, job.target, photograph.width, photograph.height, time.monotonic() - began)


def _hints(path: Path) -> NDArray[np.uint8]:
    try:
        return decode_hints(_read(path))
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
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
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
