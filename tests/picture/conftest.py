"""Fixtures of the picture path's tests."""

from collections.abc import Iterator

import pytest
from colorize_server.backends import open_backend
from colorize_server.model import Model
from colorize_server.picture.colorizer import Colorizer


@pytest.fixture(scope="session")
def colorizer(tiny: Model) -> Iterator[Colorizer]:
    """Return a colorizer of the tiny model."""
    yield from _colorizer(tiny)


@pytest.fixture(scope="module")
def shipped(shipped_model: Model) -> Iterator[Colorizer]:
    """Return a colorizer of the shipped model."""
    yield from _colorizer(shipped_model)


def _colorizer(model: Model) -> Iterator[Colorizer]:
    backend = open_backend("onnxruntime", model)
    colorizer = Colorizer(backend, model)
    yield colorizer
    colorizer.close()
    backend.close()
