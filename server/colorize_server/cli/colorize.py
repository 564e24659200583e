"""``colorize``: colour photographs from the command line, without a server.

A first word that is the name of a subcommand is one; a photograph of that name is given as ``./NAME``.  A subcommand is
a module of this package with ``add_parser(subparsers)`` and ``run(args) -> int``, as those of ``colorize-server`` are.
"""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Final

from .. import __version__
from ..archive.batch import Means, Report, colorize_files
from ..archive.entry import Entry, State
from ..archive.estimate import estimate
from ..archive.journal import JOURNAL_NAME
from ..archive.manifest import plan_manifest
from ..archive.names import check_pattern
from ..archive.plan import ALL_PAGES, BatchOptions, Plan, default_journal, plan_outputs
from ..errors import BadRequestError, ColorizeError, OutputError
from ..interrupts import STOPPED, raise_again
from ..picture.options import SATURATION_RANGE, Blend, Host, Options, Output
from ..provenance.signature import Signing, check_signing
from ..settings import BACKEND_NAMES
from .main import Command
from .model_option import add_model_option
from .own_models import model_of
from .verify import verify

SUBCOMMANDS: Final[tuple[str, ...]] = ("palette", "report")
"""Names of the subcommands' modules."""

LAYERED: Final = "psd"
"""The value of --as that is no single picture."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; its help is written for painters."""
    parser = argparse.ArgumentParser(
        prog="colorize",
        description="Lay the base colour of black-and-white photographs.",
        epilog=(
            "Examples:  colorize grandmother.jpg    |    colorize scans/ -o coloured/    |    "
            "colorize grandmother.tif --as layer --host gimp -o layer.tif    |    colorize report coloured/"
        ),
    )
    parser.add_argument("--version", action="version", version=f"colorize {__version__}")
    parser.add_argument("photos", nargs="*", type=_path, metavar="PHOTO", help="photographs, or folders of photographs")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH", help="file or folder to write (default: beside each photograph)"
    )
    parser.add_argument(
        "--as",
        dest="output_kind",
        choices=[*(o.value for o in Output), LAYERED],
        default=Output.COMPOSITE.value,
        help="composite: the finished picture; layer: the colours alone, to be put above the photograph in Color mode; "
        "psd: a layered file with both, for Photoshop, GIMP, Krita and Affinity",
    )
    parser.add_argument(
        "--host",
        choices=[h.value for h in Host],
        default=Host.NONE.value,
        help="whose Color mode a layer is made for: GIMP's LCh Color or Photoshop's Color",
    )
    parser.add_argument(
        "--blend",
        choices=[b.value for b in Blend],
        default=Blend.COLOR.value,
        help="multiply: a layer for Multiply mode, for line art on white paper",
    )
    parser.add_argument(
        "--size", type=int, metavar="N", help="detail: the network's short side, one of the sizes the model offers"
    )
    low, high = SATURATION_RANGE
    parser.add_argument(
        "--saturation", type=_saturation, default=1.0, metavar="X", help=f"strength of the colours, {low:g} to {high:g}"
    )
    parser.add_argument(
        "--hints",
        type=Path,
        metavar="FILE",
        help="PNG as large as the photograph: strokes of colour on transparent ground",
    )
    parser.add_argument(
        "--doubt", type=Path, metavar="FILE", help="also write a grey picture of where the model guesses"
    )
    parser.add_argument(
        "--backend", choices=BACKEND_NAMES, default="auto", help="what computes (default: auto, the fastest that works)"
    )
    parser.add_argument(
        "--page",
        type=_page,
        default=0,
        metavar="N|all",
        help="which page of a TIFF (default: the first); all: a TIFF of as many, or numbered files of other kinds",
    )
    add_model_option(parser)
    parser.add_argument(
        "--no-provenance",
        action="store_true",
        help="do not write into the pictures that their colours are inferred, and by what",
    )
    parser.add_argument("--sign-cert", type=Path, metavar="FILE", help="sign the pictures (C2PA): certificates, PEM")
    parser.add_argument("--sign-key", type=Path, metavar="FILE", help="the private key that fits --sign-cert, PEM")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="colour nothing: read back what the files say of their colours, and whether they were changed since",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace files that exist")
    existing.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave out photographs whose result is there already, whatever it holds (folders compare by hash)",
    )
    many = parser.add_argument_group("many photographs")
    many.add_argument(
        "--jobs",
        type=_jobs,
        default=None,
        metavar="N|auto",
        help="processes that work side by side (default: auto, as many as cores and memory bear)",
    )
    many.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="what was done and how (default for folders: colorize-journal.jsonl beside the results); "
        "a second run goes on where it says that the first one ended",
    )
    many.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="CSV or JSON lines with the columns id, source, target, and where wanted sha256 and hints; needs -o",
    )
    many.add_argument(
        "--name", default="", metavar="PATTERN", help="how results are called, for example '{stem}.{suffix}'; needs -o"
    )
    many.add_argument(
        "--dry-run", action="store_true", help="count, and estimate time and room by colouring ten; write nothing"
    )
    return parser


def _jobs(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of processes, from 1, and not auto")
    return count


def _page(text: str) -> int:
    if text == "all":
        return ALL_PAGES
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of a page, from 1, and not all")
    return int(text)


def _path(text: str) -> Path:
    if not text:  # Path("") would be the current folder
        raise argparse.ArgumentTypeError("the name of a photograph is empty")
    return Path(text)


def _saturation(text: str) -> float:
    low, high = SATURATION_RANGE
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {low:g} to {high:g}")
    return value


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 1 if anything failed, or 2 if the arguments cannot be read."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the console cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        words = sys.argv[1:] if argv is None else argv
        if words and words[0] in SUBCOMMANDS:
            return _run_subcommand(words)
        parser = build_parser()
        args = parser.parse_args(words)
        if bool(args.photos) == (args.manifest is not None):
            parser.error("name photographs or folders, or a manifest")
        return _run(args)
    except ColorizeError as error:
        print(f"colorize: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorize: stopped; no picture was left half-written.", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever read our lines has gone; Python would complain when it flushes the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run_subcommand(words: list[str]) -> int:
    command: Command = importlib.import_module(f"{__package__}.{words[0]}")
    parser = argparse.ArgumentParser(prog="colorize")
    command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(words)
    raise_again()
    return command.run(args)


def _signing(args: argparse.Namespace) -> Signing | None:
    """Return what is signed with, looked at before any picture is coloured."""
    if args.sign_cert is None and args.sign_key is None:
        return None
    if args.sign_cert is None or args.sign_key is None:
        raise BadRequestError("--sign-cert and --sign-key go together.", "Name both files.")
    if args.no_provenance:
        raise BadRequestError("--no-provenance leaves nothing to sign.", "Leave out one of them.")
    signing = Signing(args.sign_cert, args.sign_key)
    check_signing(signing)
    return signing


def _run(args: argparse.Namespace) -> int:
    if args.verify:
        return verify(args.photos)
    layered = args.output_kind == LAYERED
    if layered and (args.host != Host.NONE or args.blend != Blend.COLOR):
        raise BadRequestError("--host and --blend are for a single layer.", "A layered file is made for all programs.")
    wanted = Options(
        output=Output.COMPOSITE if layered else Output(args.output_kind),
        host=Host(args.host),
        blend=Blend(args.blend),
        size=args.size,
        saturation=args.saturation,
    )
    journal = args.journal or (args.output / JOURNAL_NAME if args.manifest and args.output else None)
    journal = journal or default_journal(args.photos, args.output)
    options = BatchOptions(
        wanted,
        args.hints,
        args.doubt,
        args.overwrite,
        args.skip_existing,
        quick=journal is not None,
        name=args.name,
        layered=layered,
        signing=_signing(args),
        provenance=not args.no_provenance,
        page=args.page,
    )
    plan = _plan(args, options)
    for remark in plan.remarks:
        print(f"colorize: {remark}", file=sys.stderr)
    means = Means(args.backend, model_of(args), args.jobs, journal)
    if args.dry_run:
        return _estimate(plan, options, means)
    report = colorize_files(plan.jobs, options, means, progress=sys.stderr, tell=_tell)
    if report.done and args.doubt is not None:
        print(f"{args.doubt}  (bright where the model guesses)")
    return _sum_up(report, plan, journal)


def _plan(args: argparse.Namespace, options: BatchOptions) -> Plan:
    if args.manifest is None:
        return plan_outputs(args.photos, args.output, options)
    if args.output is None or args.hints or args.doubt:
        raise OutputError(
            "A manifest needs a folder for the results, and no --hints or --doubt.",
            "Name the folder with -o; hints have a column.",
            code="bad_parameter",
        )
    pattern = args.name or "{stem}.{suffix}"
    check_pattern(pattern)
    return plan_manifest(args.manifest, args.output, pattern)


def _estimate(plan: Plan, options: BatchOptions, means: Means) -> int:
    """Say what a run will take."""
    found = estimate(plan.jobs, options, means)
    print(
        f"{found.photographs} photographs, {found.megapixels:.1f} megapixels, {found.existing} results there already."
    )
    for count, words in (
        (found.unreadable, "have a header that cannot be read"),
        (found.failed, "of those tried failed"),
    ):
        if count:
            print(f"{count} {words}.")
    if found.seconds is not None and found.megabytes is not None:
        time = f"{found.seconds / 3600:.1f} hours" if found.seconds > 5400 else f"{found.seconds / 60:.1f} minutes"
        print(f"About {time} with {found.workers} processes, from {found.sampled} photographs that were coloured.")
        print(f"About {found.megabytes:.0f} MB of results; {found.free_megabytes:.0f} MB are free there.")
    for folder, reason in plan.unreadable:
        print(f"colorize: {folder}: The folder cannot be read: {reason}.", file=sys.stderr)
    return 0


def _sum_up(report: Report, plan: Plan, journal: Path | None) -> int:
    """Say what became of all; the value is the exit code."""
    if report.made_by and report.done:
        print(f"Made by {report.made_by}.")
    for remark in report.remarks:
        print(f"colorize: {remark}", file=sys.stderr)
    for folder, reason in plan.unreadable:
        print(f"colorize: {folder}: The folder cannot be read: {reason}.", file=sys.stderr)
    if report.pages_left:
        print(
            f"{report.pages_left} more pictures in {report.with_pages} of the files were not coloured; "
            "--page N or --page all takes those of a TIFF.",
            file=sys.stderr,
        )
    if report.skipped:
        print(f"{report.skipped} skipped: their results are there already.", file=sys.stderr)
    failures = report.failed + len(plan.unreadable)
    if failures:
        print(f"{failures} of {len(plan.jobs) + len(plan.unreadable)} failed.", file=sys.stderr)
    if journal is not None:
        print(f"The journal is {journal}.", file=sys.stderr)
    if report.ended_by is not None:
        print(f"colorize: ended early after {report.done} of {len(plan.jobs)}: {report.ended_by}", file=sys.stderr)
        return 1
    if report.was_stopped:
        print(
            f"colorize: stopped after {report.done} of {len(plan.jobs)}; none was left half-written.", file=sys.stderr
        )
        return STOPPED
    return 1 if failures else 0


def _tell(entry: Entry) -> None:
    """Say what became of a photograph as soon as it is known, into a pipe as well."""
    if entry.state is State.DONE:
        print(f"{entry.target}  ({entry.seconds:.1f} s, {entry.width} x {entry.height})", flush=True)
        for remark in entry.remarks:
            print(f"colorize: {entry.source}: {remark}", file=sys.stderr, flush=True)
    elif entry.state is not State.SKIPPED:
        print(f"colorize: {entry.source}: {entry.reason}", file=sys.stderr, flush=True)
    elif entry.remarks and entry.source_sha256:
        print(f"colorize: {entry.target}: {' '.join(entry.remarks)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
