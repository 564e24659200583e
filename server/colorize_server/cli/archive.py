"""``colorize-archive``: colour a manifest's photographs on a cluster, or on this machine as on a cluster."""

import argparse
import collections
import os
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .. import __version__
from ..archive.manifest import Places, placed, read_manifest
from ..archive.names import check_pattern, leaves_folder
from ..archive.plan import BatchOptions
from ..archive.task import Rules
from ..errors import ColorizeError
from ..installation.packages import install_command
from ..interrupts import STOPPED, raise_again
from ..model import load_model
from ..picture.options import Options, Output
from ..settings import BACKEND_NAMES
from .model_option import add_model_option
from .own_models import model_of


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(prog="colorize-archive", description=__doc__)
    parser.add_argument("--version", action="version", version=f"colorize-archive {__version__}")
    parser.add_argument(
        "manifest",
        type=Path,
        help="CSV or JSON lines with the columns id, source, target, and where wanted sha256 and hints",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="URI",
        help="where results go: a folder that all machines see, s3://..., any fsspec",
    )
    parser.add_argument(
        "--sources", metavar="URI", help="what sources in the manifest are relative to (default: the manifest's folder)"
    )
    parser.add_argument("--address", help="a Ray cluster that runs (default: Ray is started on this machine)")
    parser.add_argument("--workers", type=int, metavar="N", help="default: one for each core, or GPU, of the cluster")
    parser.add_argument("--gpus", action="store_true", help="each worker has a GPU of its own")
    parser.add_argument("--name", default="{stem}.{suffix}", metavar="PATTERN", help="for rows without a target")
    parser.add_argument("--backend", choices=BACKEND_NAMES, default="auto", help="what computes")
    parser.add_argument("--size", type=int, metavar="N", help="detail: the network's short side")
    parser.add_argument("--saturation", type=float, default=1.0, metavar="X", help="strength of the colours, 0 to 2")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist, and try quarantined ones")
    add_model_option(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 1 where any row failed, or 2 if the arguments cannot be read."""
    args = build_parser().parse_args(argv)
    raise_again()
    try:
        return _run(args)
    except ColorizeError as error:
        print(f"colorize-archive: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorize-archive: stopped; run the same command again, and it goes on.", file=sys.stderr)
        return STOPPED


def _run(args: argparse.Namespace) -> int:
    if args.address is None:
        # Read when Ray is imported: its processes listen to other computers, and would obey whoever asks.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        from ..archive.cluster import ClusterPlan, run_on_cluster
        from ..archive.stores import RemoteFiles, is_uri
    except ModuleNotFoundError as error:
        raise ColorizeError(f"{error.name} is not installed.", f"Install it: {install_command('ray')}.") from error
    check_pattern(args.name)
    output = args.out if is_uri(args.out) else str(Path(args.out).resolve())
    sources = args.sources or str(args.manifest.resolve().parent)
    files = RemoteFiles()
    full = Places(f"{sources.rstrip('/')}/", lambda _: True, lambda _: "").full
    names = {full(name) for row in read_manifest(args.manifest) for name in (row.source, row.hints) if name}
    with ThreadPoolExecutor(16) as pool:  # a store answers slowly, and many at once
        there = {name for name, exists in zip(names, pool.map(files.exists, names), strict=True) if exists}
    folder = None if is_uri(output) else Path(output)
    places = Places(f"{sources.rstrip('/')}/", there.__contains__, lambda name: leaves_folder(name, folder))
    rows = placed(args.manifest, args.name, places)
    model = load_model(model_of(args))
    wanted = Options(output=Output.COMPOSITE, size=args.size, saturation=args.saturation)
    model.card.check_size(wanted.size)
    rules = Rules(BatchOptions(wanted, overwrite=args.overwrite, quick=True), model.sha256, has_journal=True)
    plan = ClusterPlan(rules, output, model.path, args.backend, args.workers, int(args.gpus), args.address)
    counts: collections.Counter[str] = collections.Counter()

    def tell(row: dict[str, Any]) -> None:
        counts[row["state"]] += 1
        if row["error"]:
            print(f"colorize-archive: line {row['line']}, {row['source']}: {row['error']}", file=sys.stderr, flush=True)

    report = run_on_cluster(rows, plan, tell)
    done, skipped = counts["done"], counts["skipped"]
    print(f"{done} coloured, {skipped} were done already, {len(rows) - done - skipped} failed, of {len(rows)} rows.")
    print(f"The report is {report}.")
    return 0 if done + skipped == len(rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
