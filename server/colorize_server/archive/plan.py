"""Which photographs a batch colours, and where each result goes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..errors import OutputError, PictureError
from ..formats.encode import ENCODED_TYPES
from ..formats.tiff import count_pages
from ..media_types import JPEG, PSD
from ..picture.options import Options, Output
from ..provenance.signature import SIGNED_TYPES, Signing
from .journal import JOURNAL_NAME
from .names import check_pattern
from .names import named as pattern_name

ALL_PAGES: Final = -1
"""All pages of a file, as a number of a page."""
_TIFF_SUFFIXES: Final = (".tif", ".tiff")
PHOTO_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".mpo", ".webp", ".gif", ".bmp", *_TIFF_SUFFIXES})
"""Endings that are looked for in folders; a file that is named may end as it likes."""
OTHER_PICTURES: Final = frozenset(
    {".heic", ".heif", ".avif", ".psd", ".psb", ".xcf", ".jp2", ".jxl", ".dng", ".nef", ".cr2"}
)
"""Endings of pictures that cannot be read: they are counted, so that nobody takes them for done."""
_MARKS: Final = {Output.COMPOSITE: "colour", Output.LAYER: "colour-layer"}
_RESULTS: Final = tuple(f".{mark}" for mark in _MARKS.values())
"""How the names of earlier results end."""
_NOBODYS_PREFIXES: Final = ("._", ".Trash", "@eaDir", "Thumbs")
"""What macOS, waste bins, network drives and Windows leave beside photographs."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What is wanted of every photograph of a batch.

    Attributes:
        options: for the picture path.
        hints: PNG with strokes of colour; only with a single photograph.
        doubt: where to write the doubt picture; only with a single photograph.
        overwrite: replace files that exist.
        skip_existing: leave out photographs whose result is there already.
        quick: compress results less, for many photographs.
        name: pattern of the results' names, see `names`; empty marks them with what they are.
        layered: the results are layered files (PSD), whose layer of colour is made for all programs.
        signing: what the results are signed with; None for no signature.
        provenance: the results say in their metadata that their colours are inferred.
        page: which page of TIFF files, 1 is the first; 0 takes the first and says so, `ALL_PAGES` all of them.
    """

    options: Options
    hints: Path | None = None
    doubt: Path | None = None
    overwrite: bool = False
    skip_existing: bool = False
    quick: bool = False
    name: str = ""
    layered: bool = False
    signing: Signing | None = None
    provenance: bool = True
    page: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One photograph and where its result goes.

    Attributes:
        source: the photograph.
        target: the result.
        id: what a manifest calls it.
        sha256: what a manifest says of the photograph's file; empty where it says nothing.
        hints: PNG with strokes of colour for this photograph.
        page: which picture of the file, 1 is the first; 0 takes what the options say.
    """

    source: Path
    target: Path
    id: str = ""
    sha256: str = ""
    hints: Path | None = None
    page: int = 0


@dataclass(slots=True)
class Plan:
    """What will be done.

    Attributes:
        jobs: one for each photograph.
        unreadable: folders that cannot be listed, and why.
        remarks: what was left out or named otherwise, one sentence each.
    """

    jobs: list[Job] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def plan_outputs(photos: Iterable[Path], output: Path | None, options: BatchOptions) -> Plan:
    """Find the photographs and decide where each result goes.

    Args:
        photos: files, and folders (whose photographs are taken, subfolders included).
        output: a file for a single photograph, a folder for many; None writes beside each photograph.
        options: for the names, and for what fits only a single photograph.

    Raises:
        OutputError: two results would have the same name, or the output cannot be written in that format.
        PictureError: a folder holds no photographs.
    """
    named = list(photos)
    plan = Plan()
    if options.name:
        _check_name(options.name, named, output)
    sources = list(_sources(named, plan, output))
    _check_options(output, options, len(sources))
    as_file = output is not None and _is_picture_name(output)
    if output is not None and not as_file and len(named) == 1 and not _is_folder(named[0]):
        _check_folder(output)
    mark = _MARKS[options.options.output]
    for source, below in sources:
        if as_file and output is not None:
            target = output
        else:
            suffix = "tif" if source.suffix.lower() in (".tif", ".tiff") else "png"
            suffix = "psd" if options.layered else suffix
            folder = source.parent if output is None else output / below
            target = folder / pattern_name(options.name or f"{{stem}}.{mark}.{{suffix}}", source, suffix)
        plan.jobs += _jobs_of(source, target, options)
    plan.jobs = _told_apart(plan, mark)
    _check_targets(plan.jobs, options)
    return plan


def _jobs_of(source: Path, target: Path, options: BatchOptions) -> list[Job]:
    """Return one job, or one for each page where all are wanted and the result cannot hold them."""
    if options.page != ALL_PAGES or target.suffix.lower() in _TIFF_SUFFIXES:
        return [Job(source, target)]
    count = count_pages(source)
    if count == 1:
        return [Job(source, target)]
    digits = len(str(count))
    return [
        Job(source, target.with_name(f"{target.stem}-{page:0{digits}}{target.suffix}"), page=page)
        for page in range(1, count + 1)
    ]


def default_journal(named: Iterable[Path], output: Path | None) -> Path | None:
    """Return where the journal of folders is kept: with the results; None where no folder is named."""
    folders = [path for path in named if _is_folder(path)]
    if not folders:
        return None
    if output is not None:
        return output / JOURNAL_NAME
    return Path(os.path.commonpath([path.resolve() for path in folders])) / JOURNAL_NAME


def _check_name(pattern: str, named: list[Path], output: Path | None) -> None:
    """Refuse a pattern that gives no names, or whose results nobody could tell from photographs."""
    check_pattern(pattern)
    if any(_is_folder(photo) and (output is None or output.resolve() == photo.resolve()) for photo in named):
        raise OutputError(
            "With --name, the results of a folder need a folder of their own.", "Name it with -o.", code="bad_parameter"
        )


def _sources(named: list[Path], plan: Plan, output: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yield each photograph with the folder that its result keeps below the output."""
    for photo in named:
        if not _is_folder(photo):
            if len(named) > 1 and photo.stem.endswith(_RESULTS):
                plan.remarks.append(f"{photo} is left out: it is a result of an earlier run.")
                continue
            yield photo, Path()
            continue
        found, other = _photographs_below(photo, plan)
        found = [path for path in found if not path.stem.endswith(_RESULTS)]
        if output is not None and output.resolve() != photo.resolve():  # results of earlier runs
            found = [path for path in found if not path.resolve().is_relative_to(output.resolve())]
        if other:
            kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(other.items()))
            plan.remarks.append(f"{photo}: left out because they cannot be read: {kinds}.")
        if not found and not plan.unreadable:
            raise PictureError(
                f"The folder {photo} holds no photographs.", "PNG, JPEG, TIFF, WebP, GIF, BMP are looked for."
            )
        yield from ((path, path.relative_to(photo).parent) for path in found)


def _photographs_below(folder: Path, plan: Plan) -> tuple[list[Path], Counter[str]]:
    """Return the photographs of a folder and its subfolders, sorted, and how many pictures of other kinds there are."""
    found: list[Path] = []
    other: Counter[str] = Counter()

    def cannot_list(error: OSError) -> None:
        plan.unreadable.append((Path(error.filename), error.strerror or str(error)))

    for place, folders, files in os.walk(folder, onerror=cannot_list):
        linked = [name for name in folders if Path(place, name).is_symlink()]
        other.update("linked folder" for _ in linked)
        folders[:] = sorted(name for name in folders if not name.startswith(_NOBODYS_PREFIXES))
        for name in files:
            path = Path(place, name)
            if name.startswith(_NOBODYS_PREFIXES):
                continue
            if path.suffix.lower() in PHOTO_SUFFIXES:
                found.append(path)
            elif path.suffix.lower() in OTHER_PICTURES and not path.stem.endswith(_RESULTS):
                other[path.suffix.lower()] += 1
    return sorted(found), other


def _is_folder(path: Path) -> bool:
    """Return whether there is such a folder; a name that no folder can have is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_picture_name(output: Path) -> bool:
    return output.suffix.lower() in ENCODED_TYPES and not _is_folder(output)


def _check_options(output: Path | None, options: BatchOptions, count: int) -> None:
    """Refuse names that nothing can be written to, and what fits only a single photograph where there are more."""
    if options.page == ALL_PAGES and (options.hints or options.doubt):
        raise OutputError("--hints and --doubt go with a single page.", "Name it with --page.", code="bad_parameter")
    if count > 1 and (options.hints or options.doubt):
        raise OutputError("--hints and --doubt go with a single photograph.", code="bad_parameter")
    if options.doubt is not None and options.doubt.suffix.lower() != ".png":
        raise OutputError(
            f"{options.doubt} cannot be written: the doubt picture is a PNG.",
            "Give --doubt a name that ends in .png.",
            code="bad_parameter",
        )
    if output is not None and str(output) == "-":
        raise OutputError(
            "A picture cannot be written to standard output.", "Name a file or a folder with -o.", code="bad_parameter"
        )
    if output is not None and _is_picture_name(output) and count > 1:
        raise OutputError(
            f"{output} is the name of one picture, and there are {count} photographs.",
            "Name a folder with -o, or colour them one by one.",
            code="bad_parameter",
        )


def _told_apart(plan: Plan, mark: str) -> list[Job]:
    """Give photographs that differ in nothing but their ending (a.jpg, a.png) names that keep the ending."""
    wanted = Counter(job.target for job in plan.jobs)
    jobs = []
    for job in plan.jobs:
        target = job.target
        if wanted[target] > 1 and target.stem == f"{job.source.stem}.{mark}":
            target = target.with_name(f"{job.source.name}.{mark}{target.suffix}")
            plan.remarks.append(f"{job.source} is written to {target.name}: another photograph has the same name.")
        jobs.append(replace(job, target=target))
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
        if (media_type == PSD) != options.layered:
            raise OutputError(
                f"{job.target} is {'the name of' if media_type == PSD else 'not'} a layered file.",
                "Layered files are written with --as psd, and end in .psd or .psb.",
                code="bad_parameter",
            )
        if options.signing is not None and media_type not in SIGNED_TYPES:
            raise OutputError(
                f"{job.target} cannot be signed.",
                "PNG, TIFF and JPEG can; leave out --sign-cert.",
                code="bad_parameter",
            )
        if media_type == JPEG and options.options.output is Output.LAYER:
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
