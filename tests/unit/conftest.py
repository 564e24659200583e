"""Fixtures of the unit tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from colorize_server.backends import open_backend
from colorize_server.model import Model, load_model
from colorize_server.picture.colorizer import Colorizer


@pytest.fixture(scope="session")
def tiny(tiny_model_path: Path) -> Model:
    return load_model(tiny_model_path)


@pytest.fixture(scope="session")
def colorizer(tiny: Model) -> Iterator[Colorizer]:
    """Return a colorizer of the tiny model."""
    backend = open_backend("onnxruntime", tiny)
    colorizer = Colorizer(backend, tiny)
    yield colorizer
    colorizer.close()
    backend.close()
