"""Fixtures of the page's tests: a daemon with a real worker and a small model, and a browser."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from colorize_server.daemon.keys import PAGE_KEYS
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import QUICK, Rig, running
from tiny_model import write_tiny_model

CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
REQUIRE_VARIABLE: Final = "COLORIZE_REQUIRE_BROWSER"
_FLAGS: Final = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="session")
def suggesting_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that keeps the contract, and suggests colours."""
    file = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_tiny_model(file, suggests=True)
    return file


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_rig(suggesting_path: Path) -> AsyncIterator[Rig]:
    """A daemon whose worker really computes, for all tests of a module."""
    async with running(QUICK, child=CHILD_COMMAND, model=suggesting_path, backend="onnxruntime") as rig:
        yield rig


@pytest_asyncio.fixture(loop_scope="module")
async def page_rig(shared_rig: Rig) -> AsyncIterator[Rig]:
    """The same, without any key before and after a test."""
    yield shared_rig
    shared_rig.app[PAGE_KEYS].close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    """Debian's Chromium, with WebGL by software; skipped, or in CI failed, where there is none."""
    if shutil.which(CHROMIUM) is None:
        reason = "The page is tested in Chromium: install it (apt install chromium), or name another in CHROMIUM."
        if os.environ.get(REQUIRE_VARIABLE):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield chromium
        await chromium.close()
