"""Fixtures of the daemon's tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from blockbuster import BlockBuster
from daemon_rig import Rig, running


@pytest.fixture(autouse=True)
def _never_waits(blockbuster: BlockBuster) -> None:
    """The event loop waits for nothing but its sockets."""


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
