"""An artist's own photographs to a model of their own, in one command: prepare, fit, export."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from colorize_server.model import SHIPPED_MODEL, load_model, own_models_folder, shipped_model_path

from colorize_training.config import DataConfig, ModelConfig, TrainConfig, checked, named_config
from colorize_training.data.prepare import PrepareOptions, prepare
from colorize_training.data.shards import MANIFEST_NAME, read_manifest
from colorize_training.errors import DataError, StoppedError
from colorize_training.files import write_atomically
from colorize_training.loop.fit import FitOptions, fit
from colorize_training.models.checkpoint import checkpoints, read_checkpoint
from colorize_training.models.export import CardFacts, export_checkpoint
from colorize_training.models.onnx_weights import decoding_from_onnx, weights_from_onnx

_LR_FACTOR: Final = 0.2
"""A trained network is bent, not rebuilt."""

_RECIPE: Final = "stage3-large"
"""Of hints and losses: recolouring whole pictures, as the first stages do, would let one odd dab turn everything."""

_ORIGIN_NAME: Final = "started_from.json"
"""Beside the shards: which photographs they were made of, and where the run started."""

_WARMUP_PICTURES_MAX: Final = 500
_WARMUP_SHARE: Final = 0.1
_DECAY_SHARE: Final = 0.5
"""Parts of the run: the warm-up of a long run would leave a short one below its learning rate to the end."""


@dataclass(frozen=True)
class FinetuneOptions:
    """What an artist chooses."""

    out: Path  # folder for shards, checkpoints and the model
    name: str  # of the new model, also its file's name
    start_from: Path | None = None  # exported model or checkpoint; None = the shipped model
    pictures: int = 4000  # to see; a few times as many as there are in the folder
    precision: str = ""
    batch: int = 16
    crop_px: int = 160
    workers: int = 1
    is_quiet: bool = False


def _start(options: FinetuneOptions) -> tuple[Path, ModelConfig, CardFacts]:
    """Return where to start, its network, and what the new model's card takes from it."""
    path = options.start_from or shipped_model_path()
    if path.suffix == ".onnx":
        model, _, _ = weights_from_onnx(path)
        card = load_model(path).card
        decoding = decoding_from_onnx(path)
        return path, model, CardFacts(options.name, "1", card.sizes, card.default_size, card.licence, decoding)
    return path, read_checkpoint(path).config.model, CardFacts(options.name, "1", (256,), 256)


def _run_config(options: FinetuneOptions, start: Path, model: ModelConfig, shards: Path) -> TrainConfig:
    """Configure the run: up to the full learning rate, a while there, and down in the second half."""
    base, recipe = TrainConfig(), named_config(_RECIPE)
    config = replace(
        base,
        name=options.name,
        stage=3,
        pictures=options.pictures,
        start_from=str(start),
        model=model,
        data=DataConfig(folder=str(shards), crop_px=options.crop_px, has_splits=False),
        hints=recipe.hints,
        loss=recipe.loss,
        optim=replace(
            base.optim,
            batch=options.batch,
            lr=base.optim.lr * _LR_FACTOR,
            encoder_lr=base.optim.encoder_lr * _LR_FACTOR,
            warmup_pictures=min(_WARMUP_PICTURES_MAX, int(options.pictures * _WARMUP_SHARE)),
            decay_pictures=int(options.pictures * _DECAY_SHARE),
        ),
    )
    return checked(config, "The command line")


def demand_model_name(name: str) -> None:
    """Refuse a name that cannot be a file's, or is taken by the model that ships.

    Raises:
        DataError: with a remedy.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) or name == SHIPPED_MODEL:
        raise DataError(
            f"A model cannot be named {name!r}.", f"Use letters, digits, - and _ for --name; not {SHIPPED_MODEL}."
        )


def keep_by_name(path: Path) -> Path:
    """Copy an exported model, and its checksum, to where the server finds it by its name.

    Returns:
        The copy's path.

    Raises:
        DiskError: if it cannot be written; a former model of that name is intact.
    """
    kept = own_models_folder() / path.name
    kept.with_suffix(".sha256").unlink(missing_ok=True)  # a checksum beside another file would call it damaged
    write_atomically(kept, path.read_bytes())
    write_atomically(kept.with_suffix(".sha256"), path.with_suffix(".sha256").read_bytes())
    return kept


def _origin(folder: Path, start: Path) -> dict[str, str]:
    return {"photographs": str(folder.resolve()), "start_from": str(start.resolve())}


def _demand_same_origin(out: Path, folder: Path, start: Path) -> None:
    """Refuse to go on, in a folder that holds a run, with other photographs or from another model.

    Raises:
        DataError: if they are others, or it is not known which they were.
    """
    try:
        former = json.loads((out / _ORIGIN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        former = None
    if former != _origin(folder, start):
        raise DataError(
            f"{out} holds a run with other photographs, or from another model.", "Choose another folder with --out."
        )


def finetune(folder: Path, options: FinetuneOptions, say: Callable[[object], None]) -> Path:
    """Train on an artist's own photographs.  A run that was stopped goes on where it was, with what it had prepared.

    Args:
        folder: colour photographs.
        options: where to and how long.
        say: told what is done.

    Returns:
        The path of the new model.

    Raises:
        StoppedError: Ctrl+C came before the end, and there is no model yet.
        TrainingError: with cause and remedy.
    """
    start, model, facts = _start(options)
    shards, run = options.out / "shards", options.out / "run"
    config = _run_config(options, start, model, shards)
    if (shards / MANIFEST_NAME).is_file():
        _demand_same_origin(options.out, folder, start)
        say(f"going on with the photographs that {shards} holds")
    else:
        say(prepare(folder, shards, PrepareOptions(set="own")))
        write_atomically(options.out / _ORIGIN_NAME, json.dumps(_origin(folder, start), indent=1).encode())
    how = FitOptions(
        out=run,
        data=shards,
        resume=bool(checkpoints(run)),
        precision=options.precision,
        workers=options.workers,
        is_quiet=options.is_quiet,
    )
    try:
        last = fit(config, how)
    except StoppedError as stopped:
        raise StoppedError(stopped.cause, "It makes no model yet; run the same command again to go on.") from stopped
    path = options.out / f"{options.name}.onnx"
    facts = replace(facts, training={"own_pictures": len(read_manifest(shards))})
    export_checkpoint(last, facts, path)
    return path
