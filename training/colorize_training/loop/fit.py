"""The training loop: batches, steps, progress, checkpoints, pause and stop."""

import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final

import torch
from torch import distributed
from tqdm import tqdm

from colorize_training.config import TrainConfig, checked
from colorize_training.errors import CheckpointError, DataError, StoppedError
from colorize_training.loop.board import Board
from colorize_training.loop.machine import default_device, default_precision, world_of_torchrun
from colorize_training.loop.trainer import Trainer
from colorize_training.measure.preview import sample_grid
from colorize_training.models.checkpoint import (
    checkpoint_path,
    checkpoints,
    demand_same_network,
    drop_old_checkpoints,
    read_checkpoint,
    write_checkpoint,
)
from colorize_training.models.onnx_weights import weights_from_onnx
from colorize_training.samples.dataset import Samples, batches

PAUSE_NAME: Final = "PAUSE"
"""While a file of this name lies beside the run's folder, the loop sleeps between two batches."""

_PAUSE_POLL_S: Final = 2.0
_LOG_EVERY_STEPS: Final = 20
_GRID_EVERY_STEPS: Final = 500
_RATE_WINDOW_STEPS: Final = 50
_STATISTICS_PICTURES: Final = 64
_REMEDY_FOR_A_RUN: Final = "Go on with --resume, or choose another folder with --out."


@dataclass(frozen=True)
class FitOptions:
    """How a run is carried out; nothing here changes what is learned."""

    out: Path  # folder of checkpoints and logs
    data: Path
    resume: bool = False
    resume_from: Path | None = None  # a checkpoint elsewhere, full or half
    save_every_s: float = 300.0
    half_every_pictures: int = 0  # keep a half-precision checkpoint each so many pictures; 0 = only at the end
    max_steps: int = 0  # stop early (tests); 0 = until the stage's pictures are seen
    precision: str = ""  # "" = what the machine does best
    workers: int = 1  # processes that prepare batches; more than one only helps a GPU
    is_quiet: bool = False


class _StopRequest:
    """Set by Ctrl+C or SIGTERM: the running step ends and a checkpoint is written."""

    def __init__(self) -> None:
        self.is_set = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        if self.is_set:  # the second Ctrl+C is meant
            raise KeyboardInterrupt
        self.is_set = True


@contextmanager
def _stop_on_signals() -> Iterator[_StopRequest]:
    stop = _StopRequest()
    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _prepare_trainer(config: TrainConfig, options: FitOptions, samples: Samples, is_distributed: bool) -> Trainer:
    if checkpoints(options.out) and (options.resume_from or not options.resume):
        # The run's own checkpoints may be of more pictures, and of those only the latest are kept.
        remedy = "Choose another folder with --out." if options.resume_from else _REMEDY_FOR_A_RUN
        raise CheckpointError(f"{options.out} already holds a run.", remedy)
    device = default_device()
    trainer = Trainer(config, device, options.precision or default_precision(device), is_distributed)
    if options.resume or options.resume_from:
        path = options.resume_from
        if path is None:
            found = checkpoints(options.out)
            if not found:
                raise CheckpointError(f"There is no checkpoint in {options.out}.", "Leave --resume out to start anew.")
            path = found[-1]
        checkpoint = read_checkpoint(path)
        demand_same_network(checkpoint.config.model, config.model, path)
        trainer.resume(checkpoint, path)
    elif config.start_from:
        path = Path(config.start_from)
        if path.suffix == ".onnx":
            model, weights, seen = weights_from_onnx(path)
            # Its normalisation is folded; a network that has it live takes its weights too.
            demand_same_network(replace(model, folded_batch_norm=config.model.folded_batch_norm), config.model, path)
            batch = None if config.model.folded_batch_norm else samples.batch(range(_STATISTICS_PICTURES))
            trainer.start_from_weights(weights, path, seen, batch)
            return trainer
        if path.is_dir():
            found = checkpoints(path)
            path = found[-1] if found else path / "checkpoint-*.safetensors"
        checkpoint = read_checkpoint(path)
        demand_same_network(checkpoint.config.model, config.model, path)
        trainer.start_from(checkpoint, path)
    return trainer


class _Saver:
    """Write checkpoints of the first process."""

    def __init__(self, trainer: Trainer, options: FitOptions) -> None:
        self._trainer, self._options = trainer, options
        self._last_s = time.monotonic()
        self._last_half = trainer.progress.pictures // max(1, options.half_every_pictures)

    def save(self) -> Path:
        t = self._trainer
        path = checkpoint_path(self._options.out, t.progress.pictures)
        write_checkpoint(path, t.config, t.progress, t.tensors())
        drop_old_checkpoints(self._options.out)
        self._last_s = time.monotonic()
        return path

    def save_half(self) -> Path:
        t = self._trainer
        path = self._options.out / f"half-{t.progress.pictures:08d}.safetensors"
        write_checkpoint(path, t.config, t.progress, t.tensors(), is_half=True)
        return path

    def save_if_due(self) -> None:
        if time.monotonic() - self._last_s >= self._options.save_every_s:
            self.save()
        every = self._options.half_every_pictures
        if every > 0 and self._trainer.progress.pictures // every > self._last_half:
            self._last_half = self._trainer.progress.pictures // every
            self.save_half()


def _is_stopped(stop: _StopRequest, folder: Path, world: int) -> bool:
    """Sleep while there is a pause file, then tell whether any process was asked to stop.

    The processes ask one another each time: they all pause and leave before the same step, and none waits for another
    longer than a poll lasts, whatever the time limit of the exchange.
    """
    pause = folder.parent / PAUSE_NAME
    while True:
        asked = torch.tensor([float(stop.is_set), float(pause.exists())])
        if world > 1:
            asked = asked.to(default_device())
            distributed.all_reduce(asked, distributed.ReduceOp.MAX)
        is_stop, is_pause = (bool(flag) for flag in asked.tolist())
        if is_stop or not is_pause:
            return is_stop
        time.sleep(_PAUSE_POLL_S)


def fit(config: TrainConfig, options: FitOptions) -> Path:
    """Train one stage until its pictures are seen.

    Returns:
        The path of the last checkpoint.

    Raises:
        StoppedError: Ctrl+C came before the end; the checkpoint is written.
        TrainingError: with cause and remedy; checkpoints stay intact.
    """
    rank, world = world_of_torchrun()
    if world > 1:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        return _fit(config, options, rank, world)
    finally:
        if world > 1:
            distributed.destroy_process_group()


def _fit(config: TrainConfig, options: FitOptions, rank: int, world: int) -> Path:
    samples = Samples(options.data, config)
    trainer = _prepare_trainer(config, options, samples, world > 1)
    batch = config.optim.batch
    saver = _Saver(trainer, options)
    board = Board(options.out / "tensorboard") if rank == 0 else None
    loader = batches(samples, trainer.progress.pictures, batch, rank, world, options.workers)
    bar = tqdm(
        total=config.pictures,
        initial=trainer.progress.pictures,
        unit="img",
        disable=options.is_quiet or rank != 0,
        mininterval=10,
        desc=config.name,
        smoothing=0.02,
    )
    is_stopped = False
    recent: deque[dict[str, float]] = deque(maxlen=_RATE_WINDOW_STEPS)
    first_step = trainer.progress.step
    try:
        with _stop_on_signals() as stop:
            for data in loader:
                if trainer.progress.pictures >= config.pictures:
                    break
                if is_stopped := _is_stopped(stop, options.out, world):
                    break
                if options.max_steps and trainer.progress.step - first_step >= options.max_steps:
                    break
                recent.append(trainer.step(data, world))
                bar.update(batch * world)
                if board is not None:
                    _log(board, bar, trainer, recent)
                    if trainer.progress.step % _GRID_EVERY_STEPS == 1:
                        grid = sample_grid(trainer.averaged_generator(), data)
                        board.picture("input | ours | truth", grid, trainer.progress.pictures)
                    saver.save_if_due()
    except DataError:  # the networks are whole
        if rank == 0 and trainer.progress.step > first_step:
            saver.save()
        raise
    finally:
        bar.close()
        if board is not None:
            board.close()
    seen = trainer.progress.pictures
    if rank == 0:
        saver.save()
        if seen >= config.pictures:
            saver.save_half()
    last = checkpoint_path(options.out, seen)
    if is_stopped:
        raise StoppedError(
            f"Stopped after {seen:,} of {config.pictures:,} pictures, which {last} keeps.", "Go on with --resume."
        )
    return last


def _log(board: Board, bar: "tqdm[object]", trainer: Trainer, recent: deque[dict[str, float]]) -> None:
    if trainer.progress.step % _LOG_EVERY_STEPS:
        return
    for name in recent[-1]:
        values = [terms[name] for terms in recent if name in terms]
        mean = sum(values) / len(values)
        board.scalar(f"train/{name}", mean, trainer.progress.pictures)
        if name == "pixel":
            bar.set_postfix(pixel=f"{mean:.3f}", refresh=False)


def with_overrides(config: TrainConfig, pictures: int | None, start_from: Path | None) -> TrainConfig:
    """Apply the command line's overrides.

    A shorter run warms up, falls and grows its crops over the same shares of it as the whole one.

    Raises:
        ConfigError: if a setting does not suit them.
    """
    if pictures is not None:
        share = min(1.0, pictures / config.pictures)
        data, optim = config.data, config.optim
        config = replace(
            config,
            pictures=pictures,
            data=replace(data, growth_pictures=int(data.growth_pictures * share)),
            optim=replace(
                optim,
                warmup_pictures=int(optim.warmup_pictures * share),
                decay_pictures=int(min(optim.decay_pictures, config.pictures) * share),
            ),
        )
    if start_from is not None:
        config = replace(config, start_from=str(start_from))
    return checked(config, "The configuration with the command line's options")
