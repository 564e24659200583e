"""``colorize report``: what a journal says, whether it still holds, and what is made from it."""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from ..archive.bag import make_bag
from ..archive.iiif import write_iiif
from ..archive.journal import JOURNAL_NAME, read_journal
from ..archive.manifest import read_manifest
from ..archive.report import as_csv, as_html, problems, summary
from ..files import write_whole

_ELSEWHERE: Final = "name another file"


def add_parser(subparsers: Any) -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser("report", help="what a journal says", description=__doc__)
    parser.add_argument("journal", type=Path, metavar="JOURNAL", help="a journal, or the folder that it lies in")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table of all photographs")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with thumbnails, worst doubt first")
    parser.add_argument(
        "--limit", type=_count, default=200, metavar="N", help="how many photographs the page shows (default: 200)"
    )
    parser.add_argument(
        "--verify", action="store_true", help="look at every file again: is each result there, and as it was written"
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="with --verify: every row of it must have been coloured"
    )
    parser.add_argument("--bag", type=Path, metavar="FOLDER", help="copy the results into a new bag (BagIt, RFC 8693)")
    parser.add_argument(
        "--iiif",
        nargs=2,
        metavar=("FOLDER", "BASE_URL"),
        help="write IIIF manifests that offer each photograph grey and coloured, to be served at BASE_URL",
    )


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of photographs")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Print the summary and write what was asked for; the value is 1 where something does not hold."""
    journal = (args.journal / JOURNAL_NAME if args.journal.is_dir() else args.journal).resolve()
    recorded = read_journal(journal)
    found = summary(recorded)
    for remark in recorded.remarks:
        print(f"colorize: {remark}", file=sys.stderr)
    for words, value in found.as_rows():
        print(f"{words}: {value}")
    for kind, entries in found.failures.items():
        print(f"not coloured, {kind}: {len(entries)}, for example {entries[0].source}: {entries[0].reason}")
    if args.csv:
        write_whole(args.csv, as_csv(recorded), _ELSEWHERE)
    if args.html:
        write_whole(args.html, as_html(recorded, f"Coloured: {journal.parent.name}", args.limit), _ELSEWHERE)
    exit_code = 0
    if args.verify or args.manifest:
        wrong = 0
        for problem in problems(recorded, read_manifest(args.manifest) if args.manifest else None):
            print(f"colorize: {problem}", file=sys.stderr)
            wrong += 1
        print(f"verified: {wrong} problems" if wrong else "verified: every result is there, as it was written")
        exit_code = 1 if wrong or not found.done else 0
    if args.bag:
        print(f"{make_bag(recorded, journal, args.bag)} results are in the bag {args.bag}.")
    if args.iiif:
        folder, base = args.iiif
        print(f"{write_iiif(recorded, journal, Path(folder), base)} manifests are in {folder}.")
    return exit_code
