"""One photograph from file to file, and what happens when that fails."""

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ColorizeError, HintsError, OutOfMemoryError, OutputError, PictureError
from ..formats.decode import decode_hints, decode_picture
from ..formats.encode import ENCODED_TYPES, encode_grey, encode_picture
from ..formats.layered import in_document_space, layer_options, layered_document
from ..formats.psd import Document, write_psd
from ..picture.colorizer import Colorizer
from ..picture.hints import check_strokes
from ..provenance.of_run import record_of
from ..provenance.record import merge
from ..provenance.signature import sign
from .bar import Stages
from .plan import BatchOptions, Job


@dataclass(frozen=True, slots=True)
class Done:
    """One photograph that was coloured, and what the painter should know of it besides."""

    source: Path
    target: Path
    width: int
    height: int
    seconds: float
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """One photograph that was not, and why."""

    source: Path
    reason: str


def outcome(colorizer: Colorizer, job: Job, batch: BatchOptions, stages: Stages) -> Done | Failed:
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


def _colorize_file(colorizer: Colorizer, job: Job, batch: BatchOptions, stages: Stages) -> Done:
    began = time.monotonic()
    for target in (job.target, batch.doubt):
        if target is not None:
            _check_free(target, job, batch)
    with stages.reading().alive():
        photograph = decode_picture(_read(job.source))
        hints = None if batch.hints is None else _hints(batch.hints)
    wanted, remarks = batch.options, []
    if batch.layered:
        wanted = layer_options(wanted)
        photograph, remark = in_document_space(photograph)
        remarks.append(remark)
    doubt = np.empty((photograph.height, photograph.width), np.uint8) if batch.doubt else None
    pixels, _ = colorizer.colorize(
        photograph, wanted, hints=hints, doubt_out=doubt, control=stages.colouring(), keep_profile=batch.layered
    )
    with stages.writing().alive():
        media_type = ENCODED_TYPES[job.target.suffix.lower()]
        record = record_of(
            colorizer.model,
            batch.options,
            with_hints=hints is not None,
            source=job.source.name,
            is_layered=batch.layered,
        )
        merged = merge(photograph.metadata.xmp, record if batch.provenance else None, media_type)
        remarks.append(merged.remark)
        metadata = replace(photograph.metadata, xmp=merged.packet)
        target = job.target
        if batch.layered:
            document = layered_document(photograph, pixels, metadata, doubt=doubt, hints=hints)
            target = _write_layered(document, job, batch)
        else:
            data = encode_picture(pixels, metadata, media_type)
            if batch.signing is not None:
                data = sign(data, media_type, batch.signing, record, job.source)
            write_whole(target, data)
        if batch.doubt is not None and doubt is not None:
            write_whole(batch.doubt, encode_grey(doubt))
    seconds = time.monotonic() - began
    return Done(job.source, target, photograph.width, photograph.height, seconds, tuple(filter(None, remarks)))


def _check_free(target: Path, job: Job, batch: BatchOptions) -> None:
    if target.exists() and not batch.overwrite:
        raise OutputError(f"{target} exists already.", "Use --overwrite to replace it.", code="output_exists")
    for read, what in ((job.source, "the photograph itself"), (batch.hints, "the picture of the hints")):
        if read is not None and target.exists() and read.exists() and target.samefile(read):
            raise OutputError(f"{target} is {what}.", "Write the result elsewhere.", code="output_exists")


def _write_layered(document: Document, job: Job, batch: BatchOptions) -> Path:
    """Write a PSD, or a PSB where a PSD cannot hold it or the name asks for one; return its name."""
    target = job.target
    if document.needs_psb and target.suffix.lower() != ".psb":
        target = target.with_suffix(".psb")
        _check_free(target, job, batch)
    write_whole(target, lambda file: write_psd(file, document, psb=target.suffix.lower() == ".psb"))
    return target


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


def write_whole(target: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    """Write a file wholly or not at all: under a temporary name beside it, then renamed.

    Args:
        target: the file.
        content: its bytes, or what writes them to an open file.

    Raises:
        OutputError: the disk is full, or the folder cannot be written to.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=target.parent)  # no longer than the name it gets
        with os.fdopen(handle, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
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
