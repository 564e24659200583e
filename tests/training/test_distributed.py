"""Two processes under torchrun learn what one process learns on the doubled batch."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from colorize_training.config import LossConfig, config_to_dict


def test_two_gloo_processes_agree_with_one_on_the_doubled_batch(tiny_config, shards, tmp_path):
    # The loss divides by the mean weight of the batch; without chroma reweighting it is a plain mean over samples,
    # which two processes can share exactly.
    loss = LossConfig(chroma_reweight=0.0, adversarial_weight=0.05)
    model = replace(tiny_config.model, freeze_batch_norm=True)
    config = replace(tiny_config, loss=loss, model=model)
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")},
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
    }
    script = str(Path(__file__).with_name("ddp_steps.py"))
    found = {}
    for world, batch in ((1, 4), (2, 2)):
        path, out = tmp_path / f"config{world}.json", tmp_path / f"out{world}.json"
        path.write_text(json.dumps(config_to_dict(replace(config, optim=replace(config.optim, batch=batch)))))
        launcher = [] if world == 1 else ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        subprocess.run(
            [sys.executable, *launcher, script, str(path), str(shards), str(out)],
            check=True,
            env=environment,
            capture_output=True,
            timeout=200,
        )
        found[world] = json.loads(out.read_text())
    assert found[1]["pictures"] == found[2]["pictures"] == 12
    one, two = np.array(found[1]["losses"]), np.array(found[2]["losses"])
    assert one.shape == (3, 6)  # adversarial, cosine, discriminator, doubt, lr, pixel
    assert np.abs(one - two).max() > 0  # they are not the same computation
    assert (np.abs(one - two) <= 1e-4 * np.abs(one)).all()
    assert np.ptp(one[:, 5]) > 0  # the weights moved between the steps
