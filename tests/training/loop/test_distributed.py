"""Two processes under torchrun learn what one process learns on the doubled batch, and end well."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from colorize_training.config import LossConfig, config_to_dict
from colorize_training.loop.trainer import Trainer
from colorize_training.models.checkpoint import checkpoints
from colorize_training.samples.dataset import Samples

PIXEL = 5
"""Place of the pixel loss among the terms in the order of their names."""


def _losses_of_still_weights(config, shards):
    """The losses of the same three batches if no step changed anything."""
    optim = replace(config.optim, batch=4, lr=0.0, encoder_lr=0.0, discriminator_lr=0.0)
    trainer = Trainer(replace(config, optim=optim), torch.device("cpu"), "float32")
    samples = Samples(shards, config)
    found = [trainer.step(samples.batch(range(4 * step, 4 * step + 4))) for step in range(3)]
    return [[terms[name] for name in sorted(terms)] for terms in found]


def _environment():
    return {
        **{k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")},
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
    }


def test_a_run_of_two_processes_ends_well(shards, tmp_path):
    config = tmp_path / "two.toml"
    config.write_text(
        'pictures = 8\n[data]\ncrop_px = 32\nhas_splits = false\n[model]\nencoder = "lite0"\npretrained = false\n'
        "[optim]\nbatch = 2\n",
        encoding="utf-8",
    )
    fit = ["-m", "colorize_training.cli", "fit", config, "--data", shards, "--out", tmp_path / "run", "--workers", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, fit)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-00000008.safetensors"]


def test_two_gloo_processes_agree_with_one_on_the_doubled_batch(tiny_config, shards, tmp_path):
    loss = LossConfig(adversarial_weight=0.05)
    model = replace(tiny_config.model, freeze_batch_norm=True)
    # No warm-up: three steps move the weights by more than the agreement could miss.
    config = replace(tiny_config, loss=loss, model=model, optim=replace(tiny_config.optim, warmup_pictures=0))
    script = str(Path(__file__).with_name("ddp_steps.py"))
    found = {}
    for world, batch in ((1, 4), (2, 2)):
        path, out = tmp_path / f"config{world}.json", tmp_path / f"out{world}.json"
        path.write_text(json.dumps(config_to_dict(replace(config, optim=replace(config.optim, batch=batch)))))
        launcher = [] if world == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        subprocess.run(
            [sys.executable, *launcher, script, str(path), str(shards), str(out)],
            check=True,
            env=_environment(),
            capture_output=True,
            timeout=200,
        )
        found[world] = json.loads(out.read_text())
    assert found[1]["pictures"] == found[2]["pictures"] == 12
    one, two = np.array(found[1]["losses"]), np.array(found[2]["losses"])
    assert one.shape == (3, 6)  # adversarial, cosine, discriminator, doubt, lr, pixel
    assert np.abs(one - two).max() > 0  # they are not the same computation
    assert (np.abs(one - two) <= 1e-4 * np.abs(one)).all()
    still = np.array(_losses_of_still_weights(config, shards))
    assert np.allclose(still[0], one[0], rtol=1e-5)
    # The weights moved between the steps, by more than the agreement above could miss.
    assert (np.abs(still - one)[1:, PIXEL] > 10 * 1e-4 * one[1:, PIXEL]).all()
