"""One photograph, coloured and ready to be written: a picture, a layered file, or all the pages of a TIFF."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..formats.decode import decode_picture, media_type_of
from ..formats.encode import ENCODED_TYPES, encode_grey, encode_picture
from ..formats.layered import in_document_space, layer_options, layered_document
from ..formats.psd import write_psd
from ..formats.tiff_join import PagesWriter
from ..media_types import TIFF
from ..picture.photograph import Photograph
from ..provenance.of_run import record_of
from ..provenance.record import Record, merge
from ..provenance.signature import sign
from .bar import Stages
from .painter import Painter
from .plan import ALL_PAGES, BatchOptions
from .task import Task

_IN_MEMORY_BYTES: Final = 256 << 20
"""Coloured pages that are kept in memory; more go to a temporary file."""

Content: TypeAlias = bytes | Callable[[BinaryIO], None]


@dataclass(frozen=True)
class Finished:
    """A result that is ready to be encoded.

    Attributes:
        target: its name, which a picture too large for a PSD changes to that of a PSB.
        content: encodes it.
        doubt_picture: the doubt picture's file, where one is wanted.
        network_s: seconds that the network took.
        doubt: mean expected error, C*.
        remarks: what a person should know.
    """

    target: str
    content: Callable[[], Content]
    doubt_picture: bytes | None
    network_s: float
    doubt: float
    remarks: tuple[str, ...]


def finished_picture(
    painter: Painter,
    photograph: Photograph,
    hints: NDArray[np.uint8] | None,
    task: Task,
    batch: BatchOptions,
    scan: Callable[[], bytes],
    stages: Stages,
) -> Finished:
    """Colour a photograph, and get ready what it becomes in a file.

    Args:
        painter: the model.
        photograph: from a file.
        hints: strokes of colour, or None.
        task: names of files.
        batch: what is wanted.
        scan: reads the photograph's file, which a signature names.
        stages: is told how far it is.
    """
    colorizer, wanted = painter.colorizer, batch.options
    remarks: list[str | None] = [*photograph.remarks]
    if batch.layered:
        wanted = layer_options(wanted)
        photograph, remark = in_document_space(photograph)
        remarks.append(remark)
    control = stages.colouring()
    doubt = np.empty((photograph.height, photograph.width), np.uint8) if task.doubt else None
    generated = colorizer.generate(photograph, wanted, hints=hints, control=control)
    pixels = colorizer.lay(photograph, wanted, generated, doubt_out=doubt, control=control, keep_profile=batch.layered)
    target = PurePosixPath(task.target)
    media_type = ENCODED_TYPES[target.suffix.lower()]
    record = record_of(
        colorizer.model,
        batch.options,
        with_hints=hints is not None,
        source=Path(task.source).name,
        is_layered=batch.layered,
    )
    merged = merge(photograph.metadata.xmp, record if batch.provenance else None, media_type)
    remarks.append(merged.remark)
    metadata = replace(photograph.metadata, xmp=merged.packet)
    name = task.target

    def content() -> Content:
        return _signed(
            encode_picture(pixels, metadata, media_type, quick=batch.quick), media_type, record, task, batch, scan
        )

    if batch.layered:
        document = layered_document(photograph, pixels, metadata, doubt=doubt, hints=hints)
        is_psb = document.needs_psb or target.suffix.lower() == ".psb"
        name = task.target if target.suffix.lower() == ".psb" or not is_psb else f"{task.target[:-4]}.psb"

        def content() -> Content:
            return lambda file: write_psd(file, document, psb=is_psb)

    return Finished(
        name,
        content,
        None if doubt is None else encode_grey(doubt),
        generated.network_ms / 1000,
        round(float(generated.doubt.mean()), 2),
        tuple(remark for remark in remarks if remark),
    )


def _signed(
    picture: bytes, media_type: str, record: Record, task: Task, batch: BatchOptions, scan: Callable[[], bytes]
) -> bytes:
    """Return a file with a signature, where one is wanted."""
    if batch.signing is None:
        return picture
    return sign(picture, media_type, batch.signing, record, (Path(task.source).name, scan()))


def finished_pages(
    painter: Painter, data: bytes, first: Photograph, task: Task, batch: BatchOptions, stages: Stages
) -> Finished:
    """Colour all pages of a TIFF, and get ready one TIFF of as many; one page at a time is in memory.

    Args:
        painter: the model.
        data: the file's bytes.
        first: its first page.
        task: names of files.
        batch: what is wanted.
        stages: is told how far it is.
    """
    joined = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - `content` reads and closes it
    writer = PagesWriter(cast("BinaryIO", joined))
    done: list[Finished] = []
    unsigned = replace(batch, signing=None)  # it is the whole file that is signed
    for number in range(1, first.pages + 1):
        photograph = first if number == 1 else decode_picture(data, page=number)
        page = finished_picture(painter, photograph, None, task, unsigned, lambda: data, stages)
        writer.add(cast("bytes", page.content()))  # a TIFF, not a layered file
        done.append(replace(page, content=bytes))

    def content() -> Content:
        if batch.signing is None:
            return _copy
        with joined:
            joined.seek(0)
            record = record_of(painter.colorizer.model, batch.options, with_hints=False, source=Path(task.source).name)
            return _signed(joined.read(), TIFF, record, task, batch, lambda: data)

    def _copy(file: BinaryIO) -> None:
        with joined:
            joined.seek(0)
            shutil.copyfileobj(joined, file)

    remarks = [f"Page {number}: {remark}" for number, page in enumerate(done, 1) for remark in page.remarks]
    return Finished(
        task.target,
        content,
        None,
        sum(page.network_s for page in done),
        round(sum(page.doubt for page in done) / len(done), 2),
        (f"All {len(done)} pages were coloured.", *remarks),
    )


def takes_all_pages(data: bytes, photograph: Photograph, task: Task, batch: BatchOptions) -> bool:
    """Return whether all the pages of a file become one TIFF."""
    is_wanted = batch.page == ALL_PAGES and not task.page and photograph.pages > 1
    return is_wanted and media_type_of(data) == ENCODED_TYPES[PurePosixPath(task.target).suffix.lower()] == TIFF


def pages_left(photograph: Photograph, task: Task, batch: BatchOptions) -> int:
    """Return how many pictures of a file are left out although nobody chose one of them."""
    return 0 if batch.page > 0 or task.page else photograph.pages - 1
