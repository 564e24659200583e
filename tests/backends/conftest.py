"""Fixtures of the backends' tests."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    """Backends look for engines in a cache of the test's own."""
