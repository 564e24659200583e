"""Speed of training: ours against a plain loop of the same network, and where the time goes.

The plain loop is what one writes first: float32, no channels_last, every sample decoded and converted in the loop.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from colorize_training.config import TrainConfig
from colorize_training.data.prepare import PrepareOptions, prepare
from colorize_training.data.shards import PictureStore
from colorize_training.loop.losses import generator_losses
from colorize_training.loop.machine import default_device, default_precision, has_cpu_bfloat16
from colorize_training.loop.trainer import Trainer
from colorize_training.networks.generator import build_generator
from colorize_training.samples.dataset import Samples, batch_from_crops, batches, cut_crop
from colorize_training.samples.drawn import make_photo

_WARM_UP_STEPS: Final = 3
RATIO_WITH_BFLOAT16: Final = 1.3
RATIO_WITHOUT: Final = 1.0


def _rate(step: Callable[[int], None], steps: int, batch: int) -> float:
    """Return images/s over the median step, after a warm-up."""
    times = []
    for index in range(_WARM_UP_STEPS + steps):
        start = time.perf_counter()
        step(index)
        times.append(time.perf_counter() - start)
    return batch / float(np.median(times[_WARM_UP_STEPS:]))


def _plain_step(samples: Samples, config: TrainConfig) -> Callable[[int], None]:
    """Build one step of the plain loop: same network, losses and optimiser settings."""
    torch.manual_seed(config.seed)
    generator = build_generator(config.model).train()
    optimizer = torch.optim.AdamW(generator.parameters(), lr=config.optim.lr)
    batch = config.optim.batch

    def step(index: int) -> None:
        parts = [samples.batch([i]) for i in range(index * batch, (index + 1) * batch)]
        luminance, hints, true = (
            torch.cat([getattr(part, name) for part in parts]) for name in ("luminance", "hints", "chroma")
        )
        chroma, doubt, *logits = generator(luminance, hints)
        loss = torch.stack(list(generator_losses(chroma, doubt, true, hints, config.loss, *logits).values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(generator.parameters(), config.optim.clip_norm)
        optimizer.step()

    return step


def _our_step(samples: Samples, config: TrainConfig, trainer: Trainer) -> Callable[[int], None]:
    stream = batches(samples, 0, config.optim.batch)

    def step(_index: int) -> None:
        trainer.step(next(stream))

    return step


def _shares(
    samples: Samples, config: TrainConfig, store: PictureStore, trainer: Trainer, rounds: int
) -> dict[str, float]:
    """Measure decode, augment, forward and backward of one batch apart, seconds (medians)."""
    batch = config.optim.batch
    seconds: dict[str, list[float]] = {"decode": [], "augment": [], "forward": [], "backward and update": []}
    for index in range(_WARM_UP_STEPS + rounds):
        start = time.perf_counter()
        images = [store.open(samples.pictures[(index * batch + i) % len(samples.pictures)]) for i in range(batch)]
        decoded = time.perf_counter()
        rngs = [np.random.default_rng([index, i]) for i in range(batch)]
        crops = np.stack(
            [cut_crop(image, rng, config.data, config.data.crop_px) for image, rng in zip(images, rngs, strict=True)]
        )
        data = batch_from_crops(crops, rngs, config)
        augmented = time.perf_counter()
        trainer.forward_only(data)
        forward = time.perf_counter() - augmented
        start_step = time.perf_counter()
        trainer.step(data)
        step = time.perf_counter() - start_step
        if index >= _WARM_UP_STEPS:
            seconds["decode"].append(decoded - start)
            seconds["augment"].append(augmented - decoded)
            seconds["forward"].append(forward)
            seconds["backward and update"].append(max(0.0, step - forward))
    return {name: float(np.median(values)) for name, values in seconds.items()}


def _bar() -> float:
    is_fast = default_device().type == "cpu" and has_cpu_bfloat16()
    return RATIO_WITH_BFLOAT16 if is_fast else RATIO_WITHOUT


def bench(folder: Path, steps: int = 6, config: TrainConfig | None = None) -> dict[str, Any]:
    """Measure on synthetic pictures that are prepared in a folder.

    Returns:
        ``images_per_s`` of both loops, their ``ratio``, ``seconds`` of each part of a batch, the settings, and
        ``bars``: name to (value, relation, limit on this machine).
    """
    config = config or TrainConfig()
    config = replace(
        config, data=replace(config.data, has_splits=False), optim=replace(config.optim, warmup_pictures=0)
    )
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for seed in range(48):
        make_photo(seed, 256).save(photos / f"{seed:03d}.png")
    prepare(photos, folder / "shards", PrepareOptions())
    samples = Samples(folder / "shards", config)
    device = default_device()
    precision = default_precision(device)
    trainer = Trainer(config, device, precision)
    plain = _rate(_plain_step(samples, config), steps, config.optim.batch)
    ours = _rate(_our_step(samples, config, trainer), steps, config.optim.batch)
    store = PictureStore(folder / "shards", samples.pictures)
    ratio = ours / plain
    return {
        "images_per_s": {"ours": ours, "plain": plain},
        "ratio": ratio,
        "seconds": _shares(samples, config, store, trainer, rounds=3),
        "batch": config.optim.batch,
        "crop_px": config.data.crop_px,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "bars": {"images/s of ours / of the plain loop": [ratio, ">=", _bar()]},
    }


def run(steps: int = 6, config: TrainConfig | None = None) -> dict[str, Any]:
    """Measure in a folder of our own: the section ``training`` of ``make bench``."""
    with tempfile.TemporaryDirectory(prefix="colorize-train-bench-") as folder:
        return bench(Path(folder), steps, config)


def main(arguments: list[str] | None = None) -> int:
    """Print the measurement as JSON; exit code 1 if it misses its bar."""
    parser = argparse.ArgumentParser(description="Speed of training against a plain loop of the same network.")
    parser.add_argument("--steps", type=int, default=6, help="measured steps of each loop (default 6)")
    found = run(parser.parse_args(arguments).steps)
    print(json.dumps(found, indent=1))
    return 0 if found["ratio"] >= _bar() else 1


if __name__ == "__main__":
    raise SystemExit(main())
