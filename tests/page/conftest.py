"""Fixtures of the page's tests: a daemon with a real worker and a small model, and a browser."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

HERE: Final = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "server"), str(HERE.parent)]

from colorize_server.settings import CHILD_COMMAND  # noqa: E402 - the path above leads to it
from daemon_rig import QUICK, Rig, running  # noqa: E402 - likewise
from tiny_model import write_tiny_model  # noqa: E402 - likewise

CHROMIUM: Final = os.environ.get("CHROMIUM", "/usr/bin/chromium")
REQUIRE_VARIABLE: Final = "COLORIZE_REQUIRE_BROWSER"
_FLAGS: Final = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that keeps the contract."""
    file = tmp_path_factory.mktemp("model") / "tiny.onnx"
    write_tiny_model(file, suggests=True)
    return file


@pytest.fixture
async def page_rig(tiny: Path) -> AsyncIterator[Rig]:
    """A daemon whose worker really computes."""
    async with running(QUICK, child=CHILD_COMMAND, model=tiny, backend="onnxruntime") as rig:
        yield rig


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_rig(tiny: Path) -> AsyncIterator[Rig]:
    """The same, for all tests of a module."""
    async with running(QUICK, child=CHILD_COMMAND, model=tiny, backend="onnxruntime") as rig:
        yield rig


async def new_code(rig: Rig) -> str:
    """Return a one-time code, as `colorize-server open` gets it."""
    return str((await rig.ask("POST", "/v1/pages")).json["code"])


def own_headers(rig: Rig, key: str | None = None) -> dict[str, str]:
    """Return the headers that a browser and our page send."""
    headers = {
        "Origin": f"http://127.0.0.1:{rig.port}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
    }
    return headers if key is None else {**headers, "X-Colorize-Page": key}


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
