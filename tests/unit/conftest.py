"""Fixtures of the unit tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from colorize_server.backends import open_backend
from colorize_server.cli.colorize import main
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.picture.colorizer import Colorizer


@pytest.fixture(scope="session")
def tiny(tiny_model_path: Path) -> Model:
    return load_model(tiny_model_path)


@pytest.fixture(scope="session")
def colorizer(tiny: Model) -> Iterator[Colorizer]:
    """Return a colorizer of the tiny model."""
    yield from _colorizer(tiny)


@pytest.fixture(scope="module")
def shipped() -> Iterator[Colorizer]:
    """Return a colorizer of the shipped model."""
    yield from _colorizer(load_model(shipped_model_path()))


def _colorizer(model: Model) -> Iterator[Colorizer]:
    backend = open_backend("onnxruntime", model)
    colorizer = Colorizer(backend, model)
    yield colorizer
    colorizer.close()
    backend.close()


@pytest.fixture
def run(tiny_model_path: Path) -> Callable[..., int]:
    """Return the command ``colorize`` with the tiny model."""

    def call(*arguments: object) -> int:
        return main([str(a) for a in arguments] + ["--model", str(tiny_model_path)])

    return call
