"""Checkpoints: round trip, damage, full disk, other networks."""

import errno
import os

import pytest
import torch
from colorize_training.config import DataConfig, ModelConfig, TrainConfig
from colorize_training.errors import CheckpointError, DiskError
from colorize_training.models.checkpoint import (
    Progress,
    checkpoint_path,
    checkpoints,
    demand_same_network,
    drop_old_checkpoints,
    read_checkpoint,
    write_checkpoint,
)

PROGRESS = Progress(step=3, pictures=48, pictures_before=7, warmup_from=0)
TENSORS = {"generator.w": torch.arange(4.0) / 3, "optimizer.generator.w.step": torch.tensor(3.0)}


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    path = checkpoint_path(tmp_path, 48)
    write_checkpoint(path, TrainConfig(name="x"), PROGRESS, TENSORS)
    found = read_checkpoint(path)
    assert found.progress == PROGRESS
    assert found.config == TrainConfig(name="x")
    assert not found.is_half
    assert torch.equal(found.part("generator")["w"], TENSORS["generator.w"])


def test_half_precision_leaves_the_optimiser_out(tmp_path):
    path = tmp_path / "half.safetensors"
    tensors = TENSORS | {"generator.w": torch.arange(4.0).reshape(2, 2) / 3}
    write_checkpoint(path, TrainConfig(), PROGRESS, tensors, is_half=True)
    found = read_checkpoint(path)
    assert found.is_half
    assert found.part("optimizer.generator") == {}
    assert found.tensors["generator.w"].dtype == torch.float16
    assert torch.allclose(found.part("generator")["w"], tensors["generator.w"], atol=1e-3)


def test_half_precision_keeps_statistics_outside_of_its_range(tmp_path):
    """Measured in a real run: a decoder's variance of 148,383, an encoder's of 2e-14."""
    path = tmp_path / "half.safetensors"
    statistics = {"generator.norm.running_var": torch.tensor([148383.0, 2e-14])}
    write_checkpoint(path, TrainConfig(), PROGRESS, statistics, is_half=True)
    assert torch.equal(
        read_checkpoint(path).tensors["generator.norm.running_var"], statistics["generator.norm.running_var"]
    )


def test_missing_damaged_and_foreign_files_are_told_apart(tmp_path):
    path = checkpoint_path(tmp_path, 48)
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        read_checkpoint(path)
    write_checkpoint(path, TrainConfig(), PROGRESS, TENSORS)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of colorize-train"):
        read_checkpoint(path)


def test_a_full_disk_is_named_and_the_former_checkpoint_is_intact(tmp_path, monkeypatch):
    path = checkpoint_path(tmp_path, 48)
    write_checkpoint(path, TrainConfig(), PROGRESS, TENSORS)
    before = path.read_bytes()

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="disk is full"):
        write_checkpoint(path, TrainConfig(), PROGRESS, {"generator.w": torch.zeros(4)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = checkpoint_path(tmp_path, 48)
    write_checkpoint(
        path, TrainConfig(model=ModelConfig(network="unet256"), data=DataConfig(crop_px=256)), PROGRESS, TENSORS
    )
    with pytest.raises(CheckpointError, match=r"unet256.*unet-efficientnet"):
        demand_same_network(read_checkpoint(path).config.model, TrainConfig().model, path)


def test_the_last_two_are_kept(tmp_path):
    for pictures in (16, 32, 160, 1600):
        write_checkpoint(checkpoint_path(tmp_path, pictures), TrainConfig(), PROGRESS, TENSORS)
    drop_old_checkpoints(tmp_path)
    assert checkpoints(tmp_path) == [checkpoint_path(tmp_path, 160), checkpoint_path(tmp_path, 1600)]
