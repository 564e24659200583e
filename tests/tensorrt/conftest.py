"""Fixtures of TensorRT's tests."""

from pathlib import Path

import pytest
from colorize_server import samples


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    """Engines go into a cache of the test's own."""


@pytest.fixture
def one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare precisions on one photograph, where the test is not about precision."""
    first = samples.sample_paths()[:1]
    monkeypatch.setattr(samples, "sample_paths", lambda: first)
