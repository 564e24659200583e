"""``colorize``: colour photographs from the command line, without a server."""

import argparse
import sys
from pathlib import Path

from ..errors import ColorizeError
from ..picture.options import SATURATION_RANGE, Blend, Host, Options, Output
from .batch import BatchOptions, colorize_files, plan_outputs
from .model_option import add_model_option


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; its help is written for painters."""
    parser = argparse.ArgumentParser(
        prog="colorize",
        description="Lay the base colour of black-and-white photographs.",
        epilog=(
            "Examples:  colorize grandmother.jpg    |    colorize scans/ -o coloured/    |    "
            "colorize grandmother.tif --as layer --host gimp -o layer.tif"
        ),
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photographs, or folders of photographs")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="PATH", help="file or folder to write (default: beside each photograph)"
    )
    parser.add_argument(
        "--as",
        dest="output_kind",
        choices=[o.value for o in Output],
        default=Output.COMPOSITE.value,
        help="composite: the finished picture; layer: the colours alone, to be put above the photograph in Color mode",
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
    parser.add_argument("--backend", default="auto", help="what computes: auto, onnxruntime, ... (default: auto)")
    add_model_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    return parser


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
    parser = build_parser()
    args = parser.parse_args(argv)
    options = BatchOptions(
        options=Options(
            output=Output(args.output_kind),
            host=Host(args.host),
            blend=Blend(args.blend),
            size=args.size,
            saturation=args.saturation,
        ),
        hints=args.hints,
        doubt=args.doubt,
        overwrite=args.overwrite,
    )
    try:
        jobs = plan_outputs(args.photos, args.output, options)
        report = colorize_files(jobs, options, backend_name=args.backend, model_path=args.model, progress=sys.stderr)
    except ColorizeError as error:
        print(f"colorize: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorize: stopped; no picture was left half-written.", file=sys.stderr)
        return 130
    for done in report.done:
        print(f"{done.target}  ({done.seconds:.1f} s, {done.width} x {done.height})")
    for failure in report.failed:
        print(f"colorize: {failure.source}: {failure.reason}", file=sys.stderr)
    if report.done:
        print(f"Made by {report.made_by}.")
    if report.failed:
        total = len(report.done) + len(report.failed)
        print(f"{len(report.failed)} of {total} failed.", file=sys.stderr)
    return 1 if report.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
