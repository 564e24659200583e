"""Fixtures of the daemon's tests."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from blockbuster import BlockBuster, blockbuster_ctx

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from daemon_rig import Rig, running  # noqa: E402 - the path above leads to it
from tiny_model import write_tiny_model  # noqa: E402 - likewise


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail a test in which the event loop waits for anything but its sockets."""
    with blockbuster_ctx("colorize_server") as buster:
        yield buster


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A daemon with the scripted inference process."""
    async with running() as daemon:
        yield daemon


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm_rig() -> AsyncIterator[Rig]:
    """One daemon for all tests of a module that leave it as it was; they need the module's event loop."""
    async with running() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that keeps the contract."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private folder of the test's own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("COLORIZE_STATE_DIR", str(folder))
    return folder
