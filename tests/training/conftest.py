"""Fixtures of the training tests: a tiny data set, tiny configurations, one thread."""

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") is None:  # the extra "train" is not installed
    collect_ignore_glob = ["*/test_*.py", "test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors gain nothing from two threads, and a busy machine loses much."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 24 colourful pictures in two subfolders."""
    from colorize_training.samples.drawn import make_photo

    folder = tmp_path_factory.mktemp("photos")
    for seed in range(24):
        path = folder / f"source{seed % 2}" / f"p{seed:03d}.png"
        path.parent.mkdir(exist_ok=True)
        make_photo(seed, side=100).save(path)
    return folder


@pytest.fixture(scope="session")
def shards(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as shards, as scenes and again (other pictures) as people."""
    from colorize_training.data.prepare import PrepareOptions, prepare
    from colorize_training.samples.drawn import make_photo

    people = tmp_path_factory.mktemp("people")
    for seed in range(100, 112):
        make_photo(seed, side=96, aspect=0.8).save(people / f"q{seed}.png")
    out = tmp_path_factory.mktemp("shards")
    prepare(photos, out, PrepareOptions(set="scenes", side_px=64, min_side_px=32))
    prepare(people, out, PrepareOptions(set="people", side_px=64, min_side_px=32))
    return out


@pytest.fixture
def tiny_config(shards: Path):
    """A run that takes well under a second a step: no pretrained weights, crops of 32 px, batches of two."""
    from colorize_training.config import DataConfig, ModelConfig, OptimConfig, TrainConfig

    return TrainConfig(
        name="tiny",
        pictures=1000,
        data=DataConfig(folder=str(shards), crop_px=32, has_splits=False),
        model=ModelConfig(encoder="lite0", pretrained=False),
        optim=OptimConfig(batch=2, warmup_pictures=10, decay_pictures=100),
    )


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory):
    """An exported lite0 model with a gain of 1.25: the generator, the file, the exporter's report."""
    import torch
    from colorize_training.config import ModelConfig
    from colorize_training.models.export import CardFacts, export_generator
    from colorize_training.networks.decoding import Decoding
    from colorize_training.networks.generator import build_generator

    torch.manual_seed(3)
    model = ModelConfig(encoder="lite0", pretrained=False)
    generator = build_generator(model).eval()
    for module in generator.modules():  # a fresh network's zero biases are all alike, a trained one's are not
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    facts = CardFacts(
        "tiny",
        "1.2",
        (320, 256),
        256,
        decoding=Decoding(gain=1.25),
        training={"model": dict(model.__dict__), "pictures_seen": 1234},
    )
    path = tmp_path_factory.mktemp("export") / "tiny.onnx"
    report = export_generator(generator, facts, path)
    return generator, path, report
