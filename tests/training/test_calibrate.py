"""Statistics measured anew: those of the batches, nothing else changed, and a checkpoint that can be evaluated."""

from dataclasses import replace

import pytest
import torch
from colorize_training.calibrate import CalibrateOptions, calibrate, calibrate_checkpoint, calibration_config
from colorize_training.checkpoint import Progress, read_checkpoint, write_checkpoint
from colorize_training.config import ModelConfig
from colorize_training.dataset import Samples
from colorize_training.errors import CheckpointError
from colorize_training.networks import build_generator
from colorize_training.predictor import open_predictor


@pytest.fixture
def samples(shards, tiny_config):
    return Samples(shards, calibration_config(tiny_config, 64))


def _generator():
    torch.manual_seed(1)
    return build_generator(ModelConfig(encoder="lite0", pretrained=False))


def test_calibration_pictures_are_clean_and_without_hints(samples):
    batch = samples.batch(range(4))
    assert not batch.hints.any()
    again = samples.batch(range(4))
    assert torch.equal(batch.luminance, again.luminance)
    assert batch.luminance.shape[-2:] == (64, 64)


def test_statistics_are_the_mean_over_the_batches(samples):
    generator = _generator()
    batches = [samples.batch(range(4)), samples.batch(range(4, 8))]
    norms = [m for m in generator.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert calibrate(generator, batches) == len(norms)
    assert not generator.training
    with torch.no_grad():
        seen = [torch.var_mean(generator.encoder.stem[0](batch.luminance), dim=(0, 2, 3)) for batch in batches]
    assert torch.allclose(norms[0].running_var, torch.stack([v for v, _ in seen]).mean(dim=0), rtol=1e-4)
    assert torch.allclose(norms[0].running_mean, torch.stack([m for _, m in seen]).mean(dim=0), atol=1e-5)
    assert all(int(norm.num_batches_tracked) == 2 for norm in norms)


def test_frozen_stages_and_weights_stay(samples):
    generator = _generator()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    calibrate(generator, [samples.batch(range(4))], frozen_stages=2)
    frozen = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    changed = {key for key, value in generator.state_dict().items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.endswith(("running_mean", "running_var", "num_batches_tracked")) for key in changed)
    assert not any(key.startswith(frozen) for key in changed)


def test_a_checkpoint_is_written_that_can_be_evaluated(shards, tiny_config, tmp_path):
    generator = _generator()
    tensors = {f"ema.{k}": v for k, v in generator.state_dict().items()}
    write_checkpoint(tmp_path / "run.safetensors", tiny_config, Progress(1, 2, 3, 0), tensors)
    out = calibrate_checkpoint(
        tmp_path / "run.safetensors", shards, tmp_path / "calibrated.safetensors", CalibrateOptions(64, 8)
    )
    found = read_checkpoint(out)
    assert found.config == tiny_config
    assert open_predictor(out).pictures_seen == 5
    assert not torch.equal(found.part("ema")["encoder.stem.1.running_mean"], tensors["ema.encoder.stem.1.running_mean"])


def test_a_folded_network_is_refused(shards, tiny_config, tmp_path):
    config = replace(tiny_config, model=replace(tiny_config.model, folded_batch_norm=True))
    tensors = {f"ema.{k}": v for k, v in build_generator(config.model).state_dict().items()}
    write_checkpoint(tmp_path / "folded.safetensors", config, Progress(1, 2, 0, 0), tensors)
    with pytest.raises(CheckpointError, match="no batch normalisation"):
        calibrate_checkpoint(
            tmp_path / "folded.safetensors", shards, tmp_path / "x.safetensors", CalibrateOptions(64, 8)
        )
    assert not (tmp_path / "x.safetensors").exists()
