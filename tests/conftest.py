"""Fixtures that more than one folder of tests uses."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

from tiny_model import write_tiny_model  # noqa: E402  (found by the line above)


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Return the folder of real sample photographs."""
    return TESTS / "photographs"


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of a few hundred bytes that keeps the model contract."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
