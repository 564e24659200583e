"""The command ``colorize-train``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from colorize_training.errors import TrainingError


def _fit(arguments: argparse.Namespace) -> int:
    from colorize_training.config import config_from_toml
    from colorize_training.fit import FitOptions, fit, with_overrides

    config = with_overrides(config_from_toml(arguments.config), arguments.pictures, arguments.start_from)
    options = FitOptions(
        out=arguments.out or Path("runs") / config.name,
        data=arguments.data or Path(config.data.folder),
        resume=arguments.resume,
        resume_from=arguments.resume_from,
        save_every_s=arguments.save_every,
        half_every_pictures=arguments.half_every,
        precision=arguments.precision,
    )
    print(f"last checkpoint: {fit(config, options)}")  # noqa: T201  (the command's output)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    import json

    from colorize_training.checkpoint import checkpoints
    from colorize_training.errors import CheckpointError
    from colorize_training.export import CardFacts, export_checkpoint

    path = arguments.checkpoint
    if path.is_dir():
        found = checkpoints(path)
        if not found:
            raise CheckpointError(f"There is no checkpoint in {path}.", "Train first: colorize-train fit CONFIG.toml")
        path = found[-1]
    facts = CardFacts(
        name=arguments.name or arguments.out.stem,
        version=arguments.version,
        sizes=tuple(arguments.sizes),
        default_size=arguments.default_size,
        licence=arguments.licence,
        gain=arguments.gain,
        training=json.loads(arguments.training.read_text(encoding="utf-8")) if arguments.training else {},
        metrics=json.loads(arguments.metrics.read_text(encoding="utf-8")) if arguments.metrics else {},
    )
    limit = None if arguments.max_mb is None else int(arguments.max_mb * 1e6)
    report = export_checkpoint(path, facts, arguments.out, limit)
    print(  # noqa: T201
        f"{arguments.out}: {report['bytes'] / 1e6:.1f} MB, differs from PyTorch by at most {report['half']:.1e} "
        f"(float32 weights: {report['float32']:.1e})"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="colorize-train", description="Train a colorization model on folders of colour photographs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="train one stage")
    fit.add_argument("config", type=Path, help="TOML file; see training/configs")
    fit.add_argument("--data", type=Path, help="shard folder, instead of the configuration's")
    fit.add_argument("--out", type=Path, help="folder for checkpoints and logs (default: runs/NAME)")
    fit.add_argument("--pictures", type=int, help="pictures to see, instead of the configuration's")
    fit.add_argument("--start-from", help="checkpoint (or its folder) of the earlier stage")
    fit.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out, exactly")
    fit.add_argument("--resume-from", type=Path, help="go on from this checkpoint, full or half precision")
    fit.add_argument("--save-every", type=float, default=300.0, help="seconds between checkpoints (default 300)")
    fit.add_argument("--half-every", type=int, default=0, help="pictures between kept half-precision checkpoints")
    fit.add_argument("--precision", choices=["", "float32", "bfloat16", "float16"], default="", help="of autocast")
    fit.set_defaults(run=_fit)
    export = commands.add_parser("export", help="write the ONNX model that the server loads")
    export.add_argument("checkpoint", type=Path, help="checkpoint, or the folder of a run (its last one)")
    export.add_argument("--out", type=Path, required=True, help="the .onnx file")
    export.add_argument("--name", default="", help="the model's name (default: the file's)")
    export.add_argument("--version", default="1", help="version on the card")
    export.add_argument("--sizes", type=int, nargs="+", default=[256], help="network sizes the model is good for")
    export.add_argument("--default-size", type=int, default=256)
    export.add_argument("--licence", default="Apache-2.0", help="SPDX identifier")
    export.add_argument("--gain", type=float, default=1.0, help="factor on the chroma, put into the graph")
    export.add_argument("--training", type=Path, help="JSON with more facts for the card's training section")
    export.add_argument("--metrics", type=Path, help="JSON of evaluate for the card")
    export.add_argument("--max-mb", type=float, help="refuse a larger file")
    export.set_defaults(run=_export)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; errors are one line on stderr and exit code 1."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except TrainingError as error:
        print(f"colorize-train: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
