"""The command ``colorize-train``: prepare, fit, evaluate, preview, export, finetune, half."""

import argparse
import importlib
import importlib.util
import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from colorize_server.interrupts import STOPPED, leave_at_once, raise_again

from colorize_training.errors import CheckpointError, DataError, StoppedError, TrainingError

if TYPE_CHECKING:
    from PIL import Image

    from colorize_training.networks.decoding import Decoding

# Each command imports what it needs when it runs, so that --help answers at once and prepare needs no TensorBoard.
_PACKAGES: Final = ("torch", "safetensors", "tensorboard", "onnxscript")
"""What the extra ``train`` installs and every command may need, by the names of the modules."""

_DEFAULT_DATA: Final = Path("shards")
_STOPPED_TEXT: Final = "colorize-train: Stopped."


def _say(text: object) -> None:
    print(text)  # noqa: T201  (the command's output)


def _picture_format(path: Path) -> str:
    """Return Pillow's name of the format that a file name ends in."""
    from PIL import Image

    formats = Image.registered_extensions()
    found = formats.get(path.suffix.lower(), "")
    if found not in Image.SAVE:
        raise DataError(f"{path} does not end as the name of a picture.", "Name it .png or .jpg.")
    return found


def _write_picture(image: "Image.Image", path: Path) -> None:
    from colorize_training.files import write_atomically

    buffer = io.BytesIO()
    image.save(buffer, _picture_format(path))
    write_atomically(path, buffer.getvalue())


def _last_checkpoint(path: Path) -> Path:
    """Return a checkpoint itself, or the last one of a run's folder."""
    from colorize_training.models.checkpoint import checkpoints

    if not path.is_dir():
        return path
    found = checkpoints(path)
    if not found:
        raise CheckpointError(f"There is no checkpoint in {path}.", "Train first: colorize-train fit CONFIG.toml")
    return found[-1]


def _read_json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as JSON ({error}).", "Correct the file or leave the option out."
        ) from error
    return values


def _prepare(arguments: argparse.Namespace) -> None:
    from colorize_training.data.prepare import PrepareOptions, prepare

    options = PrepareOptions(keep=arguments.keep, set=arguments.set, side_px=arguments.side, licence=arguments.licence)
    _say(prepare(arguments.folder, arguments.out, options))


def _fit(arguments: argparse.Namespace) -> None:
    from colorize_training.config import config_from_toml, named_config
    from colorize_training.loop.fit import FitOptions, fit, with_overrides

    text = arguments.config
    config = config_from_toml(Path(text)) if text.endswith(".toml") else named_config(text)
    config = with_overrides(config, arguments.pictures, arguments.start_from)
    options = FitOptions(
        out=arguments.out or Path("runs") / config.name,
        data=arguments.data or Path(config.data.folder),
        resume=arguments.resume,
        resume_from=arguments.resume_from,
        save_every_s=arguments.save_every,
        half_every_pictures=arguments.half_every,
        precision=arguments.precision,
        workers=arguments.workers,
    )
    _say(f"last checkpoint: {fit(config, options)}")


def _decoding(arguments: argparse.Namespace) -> "Decoding":
    from colorize_training.networks.decoding import Decoding

    return Decoding(arguments.gain, arguments.temperature, arguments.mean_share, arguments.calm_rounds)


def _add_decoding(p: argparse.ArgumentParser) -> None:
    p.add_argument("--gain", type=_more_than_zero, default=1.0, help="factor on the chroma of a checkpoint")
    p.add_argument(
        "--temperature",
        type=_more_than_zero,
        default=0.7,
        help="of a checkpoint's distribution; lower decides more (default 0.7)",
    )
    p.add_argument(
        "--mean-share",
        type=float,
        default=0.5,
        help="of the plain mean in a checkpoint's colours, 0 to 1 (default 0.5)",
    )
    p.add_argument(
        "--calm-rounds",
        type=int,
        choices=range(11),
        metavar="0..10",
        default=3,
        help="of the filter that calms regions of one colour; 0 = none (default 3)",
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    from colorize_training.measure.evaluate import EvaluateOptions, evaluate, text_table, write_report
    from colorize_training.models.predictor import open_predictor

    predictor = open_predictor(arguments.model, _decoding(arguments))
    options = EvaluateOptions(
        data=arguments.data,
        split=arguments.split,
        pictures=arguments.pictures,
        probe_pictures=arguments.probe_pictures,
        is_quick=arguments.quick,
    )
    found, scenes = evaluate(predictor, options)
    _say(text_table(found))
    if arguments.out:
        write_report(predictor, found, scenes, arguments.out)
        _say(f"written: {arguments.out / 'evaluation.json'}, {arguments.out / 'evaluation.html'}")


def _preview(arguments: argparse.Namespace) -> None:
    from colorize_training.config import TrainConfig, config_from_toml
    from colorize_training.measure.preview import degradation_rows, folder_sheet, named_sheet
    from colorize_training.models.predictor import open_predictor
    from colorize_training.samples.dataset import training_pictures

    _picture_format(arguments.out)  # before the work
    if arguments.model is None:
        config = config_from_toml(arguments.config) if arguments.config else TrainConfig()
        pictures = training_pictures(arguments.data, config.data)
        sheet = named_sheet(degradation_rows(arguments.data, pictures, config))
    else:
        if arguments.photos is None:
            raise DataError("No photographs were named.", "Give a folder with --photos.")
        sheet = folder_sheet(open_predictor(arguments.model, _decoding(arguments)), arguments.photos, arguments.size)
    _write_picture(sheet, arguments.out)
    _say(f"written: {arguments.out}")


def _export(arguments: argparse.Namespace) -> None:
    from colorize_training.models.export import CardFacts, export_checkpoint

    facts = CardFacts(
        name=arguments.name or arguments.out.stem,
        version=arguments.version,
        sizes=tuple(arguments.sizes),
        default_size=arguments.default_size,
        licence=arguments.licence,
        decoding=_decoding(arguments),
        weight_step=arguments.weight_step,
        training=_read_json(arguments.training),
        metrics=_read_json(arguments.metrics),
    )
    limit = None if arguments.max_mb is None else int(arguments.max_mb * 1e6)
    report = export_checkpoint(_last_checkpoint(arguments.checkpoint), facts, arguments.out, limit)
    _say(
        f"{arguments.out}: {report['bytes'] / 1e6:.1f} MB, opset {report['opset']:.0f}, differs from PyTorch by at "
        f"most {report['half']:.1e} with the same weights (as float32 {report['float32']:.1e}); colours are "
        f"{report['mean_chroma']:.2f} a*b* units on average, at most {report['largest_chroma']:.1f}, from those of the "
        "trained network"
    )


def _finetune(arguments: argparse.Namespace) -> None:
    from colorize_training.finetune import FinetuneOptions, demand_model_name, finetune, keep_by_name

    demand_model_name(arguments.name)
    options = FinetuneOptions(
        out=arguments.out or Path("runs") / arguments.name,
        name=arguments.name,
        start_from=arguments.start_from,
        pictures=arguments.pictures,
        crop_px=arguments.crop,
        batch=arguments.batch,
    )
    path = finetune(arguments.folder, options, _say)
    kept = keep_by_name(path)
    _say(f"written: {path} and {kept}\nuse it: colorize --model {kept.stem} PHOTO")
    _say(f"or, for the plug-ins: colorize-server stop; colorize-server start --model {kept.stem}")


def _half(arguments: argparse.Namespace) -> None:
    from colorize_training.models.checkpoint import read_checkpoint, write_checkpoint

    checkpoint = read_checkpoint(_last_checkpoint(arguments.checkpoint))
    tensors = checkpoint.tensors
    if arguments.averaged_only:
        tensors = {k: v for k, v in tensors.items() if not k.startswith("generator.")}
    write_checkpoint(arguments.out, checkpoint.config, checkpoint.progress, tensors, is_half=True)
    _say(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def _at_least(lowest: int) -> Callable[[str], int]:
    """Return a type for arguments: a whole number that is not below `lowest`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least {lowest}")
        return value

    return number


def _more_than_zero(text: str) -> float:
    """Type for arguments: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _model(text: str) -> Path:
    """Type for arguments: a checkpoint, the folder of a run, an .onnx file, or the name of a model of one's own."""
    from colorize_server.cli.model_option import model_path

    path = Path(text)
    return path if path.exists() else model_path(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="colorize-train", description="Train a colorization model on folders of colour photographs."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    p = commands.add_parser("prepare", help="turn a folder of photographs into shards")
    p.add_argument("folder", type=Path, help="photographs; subfolders count as sources")
    p.add_argument("--out", type=Path, required=True, help="folder for shards and manifest.csv")
    p.add_argument("--keep", type=_at_least(1), default=0, help="keep the K most colourful (default: all that are fit)")
    p.add_argument("--set", default="scenes", help="name of the set: scenes or people (default scenes)")
    p.add_argument(
        "--side", type=_at_least(32), default=256, help="short side of the stored pictures, px (default 256)"
    )
    p.add_argument("--licence", default="unknown", help="noted in the manifest")
    p.set_defaults(run=_prepare)

    p = commands.add_parser("fit", help="train one stage")
    p.add_argument("config", help="TOML file, or a name: default, pix2pix-paper, stage1-scenes, stage2-people, ...")
    p.add_argument("--data", type=Path, help="shard folder, instead of the configuration's")
    p.add_argument("--out", type=Path, help="folder for checkpoints and logs (default: runs/NAME)")
    p.add_argument("--pictures", type=_at_least(1), help="pictures to see, instead of the configuration's")
    p.add_argument("--start-from", type=_model, metavar="MODEL", help="of the earlier stage; as for evaluate")
    p.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --out, exactly")
    p.add_argument("--resume-from", type=Path, help="go on from this checkpoint, full or half precision")
    p.add_argument(
        "--save-every", type=_more_than_zero, default=300.0, help="seconds between checkpoints (default 300)"
    )
    p.add_argument(
        "--half-every", type=_at_least(0), default=0, help="pictures between kept half-precision checkpoints"
    )
    p.add_argument("--precision", choices=["", "float32", "bfloat16", "float16"], default="", help="of autocast")
    p.add_argument(
        "--workers", type=_at_least(0), default=1, help="processes that prepare batches; 0: the run itself (default 1)"
    )
    p.set_defaults(run=_fit)

    p = commands.add_parser("evaluate", help="measure a model on pictures that it never trained on")
    p.add_argument("model", type=_model, help="checkpoint, folder of a run, or exported model (name or file)")
    p.add_argument("--data", type=Path, default=_DEFAULT_DATA, help="shard folder (default: %(default)s)")
    p.add_argument("--split", default="choose", help="choose (to decide by) or report (to tell)")
    p.add_argument("--pictures", type=_at_least(1), default=0, help="of each set (default: all)")
    p.add_argument(
        "--probe-pictures", type=_at_least(0), default=150, help="of each set, for sizes, hints and degradations"
    )
    _add_decoding(p)
    p.add_argument("--quick", action="store_true", help="the main table only")
    p.add_argument("--out", type=Path, help="folder for evaluation.json, evaluation.html and card.json")
    p.set_defaults(run=_evaluate)

    p = commands.add_parser("preview", help="draw a contact sheet: of the augmentations, or of a model's work")
    p.add_argument("model", type=_model, nargs="?", help="as for evaluate; without it the augmentations are shown")
    p.add_argument("--photos", type=Path, help="folder of photographs to colorize")
    p.add_argument("--config", type=Path, help="TOML file: the strengths and shares of its augmentations are shown")
    p.add_argument("--data", type=Path, default=_DEFAULT_DATA, help="shard folder (default: %(default)s)")
    p.add_argument("--size", type=_at_least(32), default=256, help="network size (default 256)")
    _add_decoding(p)
    p.add_argument("--out", type=Path, required=True, help="the picture to write (.jpg or .png)")
    p.set_defaults(run=_preview)

    p = commands.add_parser("export", help="write the ONNX model that the server loads")
    p.add_argument("checkpoint", type=Path, help="checkpoint, or the folder of a run (its last one)")
    p.add_argument("--out", type=Path, required=True, help="the .onnx file")
    p.add_argument("--name", default="", help="the model's name (default: the file's)")
    p.add_argument("--version", default="1", help="version on the card")
    p.add_argument("--sizes", type=int, nargs="+", default=[256], help="network sizes the model is good for")
    p.add_argument("--default-size", type=int, default=256)
    p.add_argument("--licence", default="Apache-2.0", help="SPDX identifier")
    _add_decoding(p)
    p.add_argument(
        "--weight-step",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="round large convolutions to steps of this share of their weights' spread, which makes a smaller package "
        "(0.04 costs a third; default 0: half precision)",
    )
    p.add_argument("--training", type=Path, help="JSON with more facts for the card's training section")
    p.add_argument("--metrics", type=Path, help="card.json of evaluate")
    p.add_argument("--max-mb", type=_more_than_zero, help="refuse a larger file")
    p.set_defaults(run=_export)

    p = commands.add_parser("finetune", help="make a model of your own from your own photographs")
    p.add_argument("folder", type=Path, help="colour photographs")
    p.add_argument("--out", type=Path, help="folder for shards, checkpoints and the model (default: runs/NAME)")
    p.add_argument("--name", default="my-model", help="of the new model")
    p.add_argument(
        "--start-from", type=_model, metavar="MODEL", help="exported model or checkpoint (default: the shipped model)"
    )
    p.add_argument("--pictures", type=int, default=4000, help="pictures to see (default 4000)")
    p.add_argument("--crop", type=int, default=160, help="side of the training crops, px (default 160)")
    p.add_argument("--batch", type=int, default=16, help="pictures in a step (default 16)")
    p.set_defaults(run=_finetune)

    p = commands.add_parser("half", help="reduce a checkpoint to the half-precision weights needed to go on")
    p.add_argument("checkpoint", type=Path, help="checkpoint, or the folder of a run (its last one)")
    p.add_argument("--out", type=Path, required=True, help="the .safetensors file")
    p.add_argument("--averaged-only", action="store_true", help="leave the latest weights out, keep their average")
    p.set_defaults(run=_half)
    return parser


def _demand_packages() -> None:
    """Refuse to begin without the extra.

    Raises:
        TrainingError: with the command that installs it.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        from colorize_server.installation.packages import install_command

        raise TrainingError(
            f"Training needs packages that are not installed ({', '.join(missing)}).",
            f"Install them: {install_command('colorize-server[train]')}",
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; errors are one line on stderr and exit code 1, or 130 after Ctrl+C."""
    try:
        leave_at_once(_STOPPED_TEXT)  # some libraries abort on an exception while they are being loaded
        try:
            parsed = _parser().parse_args(arguments)
            _demand_packages()
            importlib.import_module("torch")
        finally:
            raise_again()
        parsed.run(parsed)
    except KeyboardInterrupt:
        print(_STOPPED_TEXT, file=sys.stderr)  # noqa: T201
        return STOPPED
    except TrainingError as error:
        print(f"colorize-train: {error}", file=sys.stderr)  # noqa: T201
        return STOPPED if isinstance(error, StoppedError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
