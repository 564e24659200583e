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
