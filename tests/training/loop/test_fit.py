"""The loop: it learns, resumes exactly, goes on from half weights, stops, pauses, and fails in words."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from colorize_training.config import (
    DataConfig,
    HintConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    TrainConfig,
    crop_side,
)
from colorize_training.errors import CheckpointError, DataError, DiskError, DivergedError
from colorize_training.loop import fit as fit_module
from colorize_training.loop.fit import PAUSE_NAME, FitOptions, fit
from colorize_training.loop.schedule import learning_rate_factor
from colorize_training.loop.trainer import Trainer
from colorize_training.models.checkpoint import Progress, checkpoints, read_checkpoint, write_checkpoint
from colorize_training.samples.dataset import Samples, batches


def _options(shards, out, **settings):
    return FitOptions(
        **{"out": out, "data": shards, "precision": "float32", "workers": 0, "is_quiet": True, **settings}
    )


def _equal(one, other):
    assert one.tensors.keys() == other.tensors.keys()
    return [key for key in one.tensors if not torch.equal(one.tensors[key], other.tensors[key])]


def test_twenty_steps_equal_ten_a_resume_and_ten(tiny_config, shards, tmp_path):
    """Generator, discriminator, averages and both optimisers, to the last bit."""
    config = replace(tiny_config, loss=LossConfig(adversarial_weight=0.05))
    straight = read_checkpoint(fit(config, _options(shards, tmp_path / "a", max_steps=20)))
    fit(config, _options(shards, tmp_path / "b", max_steps=10))
    resumed = read_checkpoint(fit(config, _options(shards, tmp_path / "b", max_steps=10, resume=True)))
    assert straight.progress == resumed.progress == Progress(20, 40, 0, 0)
    assert _equal(straight, resumed) == []
    assert {key.split(".")[0] for key in straight.tensors} == {"generator", "ema", "discriminator", "optimizer"}


def test_training_learns_a_fixed_batch(tiny_config, shards):
    trainer = Trainer(
        replace(tiny_config, optim=OptimConfig(batch=2, warmup_pictures=0)), torch.device("cpu"), "float32"
    )
    batch = Samples(shards, replace(tiny_config, hints=HintConfig(share=0.0))).batch([0, 1])
    losses = [trainer.step(batch)["pixel"] for _ in range(25)]
    assert np.mean(losses[-3:]) < 0.75 * np.mean(losses[:3])


@pytest.mark.parametrize("is_averaged_only", [False, True])
def test_half_weights_go_on_with_a_warm_up(tiny_config, shards, tmp_path, is_averaged_only):
    """Both kinds that ``colorize-train half`` writes: with the latest weights, or with their average alone."""
    config = replace(tiny_config, loss=LossConfig(adversarial_weight=0.05), data=replace(tiny_config.data, crop_px=64))
    full = read_checkpoint(fit(config, _options(shards, tmp_path / "a", max_steps=6)))
    half = tmp_path / "half.safetensors"
    kept = {k: v for k, v in full.tensors.items() if not (is_averaged_only and k.startswith("generator."))}
    write_checkpoint(half, full.config, full.progress, kept, is_half=True)
    trainer = Trainer(config, torch.device("cpu"), "float32")
    trainer.resume(read_checkpoint(half), half)
    assert trainer.progress == Progress(6, 12, 0, warmup_from=12)
    part = "ema" if is_averaged_only else "generator"
    for name, value in trainer.generator.state_dict().items():
        assert torch.allclose(value, full.tensors[f"{part}.{name}"], rtol=2e-3, atol=1e-4), name
    key = "layers.0.weight"
    assert torch.allclose(trainer.discriminator.state_dict()[key], full.tensors[f"discriminator.{key}"], atol=1e-3)
    found = trainer.step(Samples(shards, config).batch([12, 13]))
    assert found["lr"] == pytest.approx(1 / 10)  # of the warm-up's 10 pictures: it starts afresh
    again = fit(config, _options(shards, tmp_path / "b", max_steps=2, resume_from=half))
    assert read_checkpoint(again).progress == Progress(8, 16, 0, 12)


def test_stage_two_starts_from_the_averaged_weights_of_stage_one(tiny_config, shards, tmp_path):
    first = fit(tiny_config, _options(shards, tmp_path / "a", max_steps=3))
    config = replace(tiny_config, stage=2, seed=5, start_from=str(tmp_path / "a"))
    trainer = Trainer(config, torch.device("cpu"), "float32")
    trainer.start_from(read_checkpoint(first), first)
    assert trainer.progress == Progress(0, 0, 6, 0)
    expected = read_checkpoint(first).part("ema")
    assert all(torch.equal(v.float(), expected[k].float()) for k, v in trainer.generator.state_dict().items())
    last = fit(config, _options(shards, tmp_path / "b", max_steps=1))
    assert read_checkpoint(last).progress.pictures_before == 6


def test_a_run_goes_on_from_an_exported_model_with_live_batch_normalisation(tiny_config, shards, tmp_path, exported):
    _, path, _ = exported
    options = _options(shards, tmp_path / "a", max_steps=2)
    checkpoint = read_checkpoint(fit(replace(tiny_config, start_from=str(path)), options))
    assert checkpoint.progress.pictures_before == 1234
    assert checkpoint.progress.pictures == 4
    assert any("running_mean" in name for name in checkpoint.tensors)
    for model, name in ((ModelConfig(encoder="lite2", pretrained=False), "lite2"), (ModelConfig("unet256"), "resize")):
        other = replace(tiny_config, model=model, start_from=str(path))
        with pytest.raises(CheckpointError, match=rf"\(lite0\), the configuration asks for a .*\({name}\)"):
            fit(other, _options(shards, tmp_path / "b", max_steps=2))


def test_a_loss_that_is_not_a_number_stops_with_the_checkpoint_intact(tiny_config, shards, tmp_path, monkeypatch):
    last = fit(tiny_config, _options(shards, tmp_path / "a", max_steps=2))
    kept = last.read_bytes()
    step = Trainer.step

    def poisoned(self, batch, world):
        batch.luminance[0, 0, 0, 0] = float("nan")
        return step(self, batch, world)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", poisoned)
        with pytest.raises(DivergedError, match=r"not a number.*smaller learning rate"):
            fit(tiny_config, _options(shards, tmp_path / "a", resume=True))
    assert [path.read_bytes() for path in checkpoints(tmp_path / "a")] == [kept]
    trainer = Trainer(tiny_config, torch.device("cpu"), "float32")
    batch = Samples(shards, tiny_config).batch([0, 1])
    batch.luminance[0, 0, 0, 0] = float("nan")
    weights = {k: v.clone() for k, v in trainer.generator.named_parameters()}
    with pytest.raises(DivergedError, match=r"not a number.*smaller learning rate"):
        trainer.step(batch)
    assert all(torch.equal(weights[k], v) for k, v in trainer.generator.named_parameters())


def test_an_infinite_gradient_stops_before_the_weights_change(tiny_config, shards):
    trainer = Trainer(tiny_config, torch.device("cpu"), "float32")
    trainer.generator.chroma_head.weight.register_hook(lambda gradient: gradient * float("inf"))
    weights = {k: v.clone() for k, v in trainer.generator.named_parameters()}
    with pytest.raises(DivergedError, match="gradient is not a number"):
        trainer.step(Samples(shards, tiny_config).batch([0, 1]))
    assert all(torch.equal(weights[k], v) for k, v in trainer.generator.named_parameters())


def test_the_discriminator_stops_too_before_its_weights_change(tiny_config, shards):
    trainer = Trainer(replace(tiny_config, loss=LossConfig(adversarial_weight=0.05)), torch.device("cpu"), "float32")
    batch = Samples(shards, tiny_config).batch([0, 1])
    batch.chroma[0] = float("nan")  # seen by the discriminator alone, once the generator's loss has been taken
    weights = {k: v.clone() for k, v in trainer.discriminator.named_parameters()}
    with pytest.raises(DivergedError, match="discriminator nan"):
        trainer._discriminator_step(batch, torch.zeros_like(batch.chroma))
    assert all(torch.equal(weights[k], v) for k, v in trainer.discriminator.named_parameters())


def test_an_infinite_gradient_of_the_discriminator_stops_too(tiny_config, shards):
    trainer = Trainer(replace(tiny_config, loss=LossConfig(adversarial_weight=0.05)), torch.device("cpu"), "float32")
    trainer.discriminator.layers[0].weight.register_hook(lambda gradient: gradient * float("inf"))
    batch = Samples(shards, tiny_config).batch([0, 1])
    weights = {k: v.clone() for k, v in trainer.discriminator.named_parameters()}
    with pytest.raises(DivergedError, match="gradient is not a number"):
        trainer._discriminator_step(batch, torch.zeros_like(batch.chroma))
    assert all(torch.equal(weights[k], v) for k, v in trainer.discriminator.named_parameters())


def test_random_masks_depend_on_seed_and_progress_alone(tiny_config, shards):
    """Dropout after a resume draws what it would have drawn without one."""
    config = replace(tiny_config, model=replace(tiny_config.model, dropout=True))
    batch = Samples(shards, config).batch([0, 1])
    draws = []
    for noise in (1, 2):
        trainer = Trainer(config, torch.device("cpu"), "float32")
        torch.manual_seed(noise)
        draws.append([(trainer.step(batch), torch.rand(4))[1] for _ in range(2)])
    assert torch.equal(draws[0][0], draws[1][0])
    assert torch.equal(draws[0][1], draws[1][1])
    assert not torch.equal(draws[0][0], draws[0][1])


def test_a_run_is_never_overwritten_and_never_resumed_from_nothing(tiny_config, shards, tmp_path):
    with pytest.raises(CheckpointError, match="Leave --resume out"):
        fit(tiny_config, _options(shards, tmp_path / "a", max_steps=1, resume=True))
    last = fit(tiny_config, _options(shards, tmp_path / "a", max_steps=1))
    second = replace(tiny_config, start_from=str(tmp_path / "a"))
    fit(second, _options(shards, tmp_path / "b", max_steps=1))
    for config, out, settings in ((tiny_config, "a", {}), (second, "b", {}), (tiny_config, "b", {"resume_from": last})):
        with pytest.raises(CheckpointError, match="already holds a run"):
            fit(config, _options(shards, tmp_path / out, max_steps=1, **settings))
    # Going back to an older checkpoint in the same folder would drop each new one in favour of those further on.
    back = {"resume": True, "resume_from": last}
    with pytest.raises(CheckpointError, match=r"holds a run\. Choose another folder with --out\.$"):
        fit(tiny_config, _options(shards, tmp_path / "a", max_steps=1, **back))


def test_a_missing_stage_one_and_another_network_are_named(tiny_config, shards, tmp_path):
    with pytest.raises(CheckpointError, match="Train stage 1 first"):
        fit(replace(tiny_config, start_from=str(tmp_path / "no")), _options(shards, tmp_path / "a"))
    fit(tiny_config, _options(shards, tmp_path / "b", max_steps=1))
    other = replace(tiny_config, model=ModelConfig(encoder="lite2", pretrained=False), start_from=str(tmp_path / "b"))
    with pytest.raises(CheckpointError, match=r"lite0.*lite2"):
        fit(other, _options(shards, tmp_path / "c"))


def test_an_empty_folder_is_named(tiny_config, tmp_path):
    with pytest.raises(DataError, match=r"There is no manifest\.csv"):
        fit(tiny_config, _options(tmp_path, tmp_path / "a"))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_named_from_a_loading_process_too(tiny_config, shards, tmp_path, workers):
    damaged = tmp_path / "damaged"
    shutil.copytree(shards, damaged)
    for shard in damaged.glob("*.tar"):
        shard.write_bytes(shard.read_bytes().replace(b"RIFF", b"DIRT"))
    with pytest.raises(DataError, match=r"is damaged") as caught:
        fit(tiny_config, _options(damaged, tmp_path / "a", max_steps=1, workers=workers))
    assert caught.value.remedy
    assert str(caught.value).count("\n") == 0


def test_a_damaged_picture_ends_a_run_with_its_checkpoint(tiny_config, shards, tmp_path, monkeypatch):
    batch = Samples.batch

    def damaged(self, indices, side=0):
        if indices[0] >= 6:
            raise DataError("A shard is damaged.", "Make it anew.")
        return batch(self, indices, side)

    monkeypatch.setattr(Samples, "batch", damaged)
    with pytest.raises(DataError):
        fit(tiny_config, _options(shards, tmp_path / "a"))
    (last,) = checkpoints(tmp_path / "a")
    assert read_checkpoint(last).progress.pictures == 6
    with pytest.raises(DataError):  # nothing was learned since, and nothing is written
        fit(tiny_config, _options(shards, tmp_path / "a", resume=True))
    assert checkpoints(tmp_path / "a") == [last]


def test_curves_that_cannot_be_written_cost_no_checkpoint(tiny_config, shards, tmp_path, monkeypatch, capsys):
    from torch.utils.tensorboard import SummaryWriter

    def full(*_arguments, **_settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("add_scalar", "add_image", "close"):
        monkeypatch.setattr(SummaryWriter, name, full)
    last = fit(tiny_config, _options(shards, tmp_path / "a", max_steps=2))
    assert read_checkpoint(last).progress.step == 2
    assert capsys.readouterr().err.count("no curves from here on") == 1
    monkeypatch.setattr(SummaryWriter, "__init__", full)
    with pytest.raises(DiskError, match="Choose another folder with --out"):
        fit(tiny_config, _options(shards, tmp_path / "b", max_steps=2))


def test_the_loop_sleeps_while_the_pause_file_exists(tiny_config, shards, tmp_path, monkeypatch):
    out, pause, steps, naps = tmp_path / "run", tmp_path / PAUSE_NAME, [], []
    step = Trainer.step

    def noted(self, *arguments):
        steps.append(len(naps))
        pause.touch()
        return step(self, *arguments)

    def nap(_seconds):
        naps.append(1)
        if len(naps) % 2 == 0:
            pause.unlink()

    monkeypatch.setattr(Trainer, "step", noted)
    monkeypatch.setattr(fit_module.time, "sleep", nap)
    fit(tiny_config, _options(shards, out, max_steps=3))
    assert steps == [0, 2, 4]  # two naps between two steps, as long as the file was there


def test_ctrl_c_saves(tiny_config, shards, tmp_path):
    """A real process, a real signal, with a loading process that gets the signal too."""
    config = tmp_path / "c.toml"
    config.write_text(
        'name = "c"\n[data]\ncrop_px = 32\nhas_splits = false\n[model]\nencoder = "lite0"\npretrained = false\n'
        "[optim]\nbatch = 2\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "colorize_training.cli", "fit", str(config), "--data", str(shards)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run"), "--save-every", "1"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 90
    while not checkpoints(tmp_path / "run") and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors  # so that `fit && export` stops, too
    assert not output
    assert errors.count("Stopped after") == 1
    assert "Go on with --resume." in errors
    found = read_checkpoint(checkpoints(tmp_path / "run")[-1])
    assert found.progress.pictures == found.progress.step * 2 > 0


def test_the_schedule_warms_up_stays_and_falls():
    optim = OptimConfig(batch=16, warmup_pictures=3200, decay_pictures=40_000)
    at = [learning_rate_factor(optim, n, 300_000) for n in (0, 1599, 3199, 150_000, 260_000, 280_000, 299_984)]
    assert at == pytest.approx([1 / 3200, 0.5, 1.0, 1.0, 1.0, 0.5, 0.01])
    assert learning_rate_factor(optim, 100_000, 300_000, warmup_from=100_000) == pytest.approx(1 / 3200)
    paper = replace(optim, schedule="pix2pix", warmup_pictures=0)
    assert [learning_rate_factor(paper, n, 200) for n in (0, 100, 150)] == pytest.approx([1.0, 1.0, 0.5])


def test_crops_grow_in_equal_parts_up_to_the_end():
    config = TrainConfig(pictures=100_000, data=DataConfig(crop_px=128, crop_px_end=256, growth_pictures=40_000))
    seen = (0, 59_999, 60_000, 69_999, 70_000, 80_000, 90_000, 100_000)
    assert [crop_side(config, n) for n in seen] == [128, 128, 160, 160, 192, 224, 256, 256]
    for still in (DataConfig(crop_px=96), DataConfig(crop_px=96, crop_px_end=96, growth_pictures=10)):
        assert {crop_side(replace(config, data=still), n) for n in (0, 50_000, 100_000)} == {96}


def test_growing_crops_are_alike_in_every_process_and_after_a_resume(tiny_config, shards):
    data = replace(tiny_config.data, crop_px_end=64, growth_pictures=12)
    samples = Samples(shards, replace(tiny_config, pictures=24, data=data))

    def sides(seen, rank=0, world=1):
        loader = batches(samples, seen, 2, rank, world, workers=0)
        return [next(loader).luminance.shape[-1] for _ in range(6)]

    assert sides(4) == [32] * 4 + [64] * 2
    assert sides(0, 0, 2) == sides(0, 1, 2) == [32] * 3 + [64] * 3


def test_a_run_may_go_on_with_other_processes(tiny_config, shards):
    """Two processes up to picture 8, one from there on: no sample twice, none left out."""
    samples = Samples(shards, tiny_config)

    def first(seen, rank=0, world=1, batch=2):
        return next(batches(samples, seen, batch, rank, world, workers=0)).luminance

    alone = first(8, batch=4)
    assert torch.equal(first(8), alone[:2])
    assert torch.equal(torch.cat([first(8, 0, 2), first(8, 1, 2)]), alone)
    assert torch.equal(first(10), alone[2:])
