"""Run by torchrun from test_distributed: three steps on this process's part of each batch, losses as JSON lines."""

import json
import sys
from pathlib import Path

import torch
from colorize_training.config import config_from_dict
from colorize_training.loop.machine import world_of_torchrun
from colorize_training.loop.trainer import Trainer
from colorize_training.samples.dataset import Samples, batch_indices
from torch import distributed


def main(config_path: str, data: str, out: str) -> None:
    torch.set_num_threads(1)
    rank, world = world_of_torchrun()
    if world > 1:
        distributed.init_process_group("gloo")
    config = config_from_dict(json.loads(Path(config_path).read_text(encoding="utf-8")))
    trainer = Trainer(config, torch.device("cpu"), "float32", is_distributed=world > 1)
    samples = Samples(Path(data), config)
    losses, batch = [], config.optim.batch
    for _ in range(3):
        terms = trainer.step(samples.batch(batch_indices(trainer.progress.pictures, batch, rank)), world)
        values = torch.tensor([terms[name] for name in sorted(terms)], dtype=torch.float64)
        if world > 1:
            distributed.all_reduce(values)
        losses.append((values / world).tolist())
    if rank == 0:
        Path(out).write_text(json.dumps({"losses": losses, "pictures": trainer.progress.pictures}), encoding="utf-8")
    if world > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
