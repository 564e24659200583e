"""Checkpoints: safetensors files with the configuration and the count of pictures seen inside; no pickle.

Tensors are named ``generator.*``, ``ema.*``, ``discriminator.*`` and ``optimizer.<network>.<parameter>.<moment>``.
A half-precision checkpoint leaves the optimisers out: enough to go on from, with a learning-rate warm-up.
Its kernels are float16; vectors stay float32, because variances of batch normalisation lie outside of float16's range
(6e-8 to 65504).
"""

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from colorize_training.config import ModelConfig, TrainConfig, config_from_dict, config_to_dict
from colorize_training.errors import CheckpointError, DiskError

FORMAT: Final = "colorize-training-1"
_KEPT: Final = 2


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    step: int  # optimiser steps done in this stage
    pictures: int  # pictures seen in this stage
    pictures_before: int  # pictures seen in earlier stages
    warmup_from: int  # pictures of this stage at which the optimiser started afresh


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read back."""

    config: TrainConfig
    progress: Progress
    tensors: dict[str, Tensor]
    is_half: bool

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of one part, without the prefix, in float32 where they are floating point."""
        start = prefix + "."
        return {
            key[len(start) :]: value.float() if value.is_floating_point() else value
            for key, value in self.tensors.items()
            if key.startswith(start)
        }


def write_atomically(path: Path, data: bytes, when_full: str = "Free some space or choose another --out.") -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Args:
        path: of the file; its folder is made.
        data: of the file.
        when_full: what to do when the disk is full.

    Raises:
        DiskError: if the disk is full or the folder cannot be written; a former file of that name is intact.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DiskError(
                f"The disk is full: {path} ({len(data) / 1e6:.0f} MB) cannot be written.", when_full
            ) from error
        raise DiskError(f"{path} cannot be written ({error.strerror}).", "Choose another folder with --out.") from error


def write_checkpoint(
    path: Path, config: TrainConfig, progress: Progress, tensors: dict[str, Tensor], is_half: bool = False
) -> None:
    """Write one checkpoint atomically.

    Raises:
        DiskError: see :func:`write_atomically`.
    """
    if is_half:
        tensors = {
            key: value.half() if value.is_floating_point() and value.ndim > 1 else value
            for key, value in tensors.items()
            if not key.startswith("optimizer.")
        }
    metadata = {
        "format": FORMAT,
        "network": config.model.network,
        "half": json.dumps(is_half),
        "config": json.dumps(config_to_dict(config)),
        "progress": json.dumps(progress.__dict__),
    }
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    remedy = "Free some space and go on with --resume; the last checkpoint is intact."
    write_atomically(path, save(contiguous, metadata=metadata), remedy)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: if it is missing, damaged or of another program.
    """
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint {path}.", "Train stage 1 first, or correct start_from / --resume."
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"The checkpoint {path} is damaged ({error}).", "Use the one before it.") from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a checkpoint of colorize-train.", "Give one that fit has written.")
    return Checkpoint(
        config=config_from_dict(json.loads(metadata["config"]), str(path)),
        progress=Progress(**json.loads(metadata["progress"])),
        tensors=tensors,
        is_half=bool(json.loads(metadata["half"])),
    )


def demand_same_network(held: ModelConfig, configured: ModelConfig, path: Path) -> None:
    """Refuse a checkpoint or exported model whose generator is not the configured one.

    Raises:
        CheckpointError: naming both networks.
    """

    def described(m: ModelConfig) -> str:
        kind = m.encoder if m.network == "unet-efficientnet" else m.upsampling
        return f"{m.network} ({kind}{', folded' if m.folded_batch_norm else ''})"

    there, here = described(held), described(configured)
    if there != here:
        raise CheckpointError(
            f"{path} holds a {there}, the configuration asks for a {here}.",
            "Give a checkpoint of the same network, or change [model].",
        )


def load_part(module: torch.nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load weights strictly.

    Raises:
        CheckpointError: if names or shapes differ.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit the network ({str(error).splitlines()[0]}).", "Give a checkpoint of the same network."
        ) from error


def checkpoint_path(folder: Path, pictures: int) -> Path:
    """Name the checkpoint of a run after so many pictures."""
    return folder / f"checkpoint-{pictures:08d}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """List the full checkpoints of a run, oldest first."""
    return sorted(folder.glob("checkpoint-*.safetensors"))


def drop_old_checkpoints(folder: Path, kept: int = _KEPT) -> None:
    """Delete all but the last checkpoints."""
    for path in checkpoints(folder)[:-kept]:
        path.unlink()


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: dict[int, str], prefix: str) -> dict[str, Tensor]:
    """Name the optimiser's moments after the parameters; ``names`` maps id(parameter) to its name."""
    tensors = {}
    for parameter, state in optimizer.state.items():
        name = names[id(parameter)]
        for moment, value in state.items():
            tensors[f"{prefix}.{name}.{moment}"] = torch.as_tensor(value)
    return tensors


def restore_optimizer(optimizer: torch.optim.Optimizer, named: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Put moments back; ``named`` maps parameter names to parameters, ``state`` is one part of a checkpoint."""
    for key, value in state.items():
        name, moment = key.rsplit(".", 1)
        parameter = named[name]
        value = value.to(device=parameter.device)  # the count of steps as well: the optimisers are fused
        if moment != "step":
            value = value.contiguous()
            if parameter.dim() == 4:
                value = value.to(memory_format=torch.channels_last)
        optimizer.state[parameter][moment] = value
