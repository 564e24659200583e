"""Everything a web page or a stranger may try, against the product's own engine."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from attacks import ATTACKS, Attack, check_answer, request
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import QUICK, TOKEN, Rig, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One daemon for all: each attack must leave it as it was."""
    from tiny_model import write_tiny_model

    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")
    async with running(
        replace(QUICK, max_body_bytes=10 << 20, max_pixels=200_000_000), child=CHILD_COMMAND, model=model
    ) as rig:
        yield rig


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_attack_is_refused(daemon: Rig, attack: Attack) -> None:
    """With the right status and code, without a trace, and the daemon as it was."""
    before = daemon.inference.pid

    received = await daemon.raw(attack.request(daemon.port, TOKEN))

    assert check_answer(attack, received) == ""
    assert TOKEN.encode() not in received
    assert b"Traceback" not in received
    assert daemon.inference.pid == before
    assert daemon.inference.restarts == 0
    assert daemon.is_quiet
    assert (await daemon.raw(request()(daemon.port, TOKEN))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
async def test_our_own_names_are_taken(daemon: Rig, host: str) -> None:
    """What the panel and the plug-in send."""
    received = await daemon.raw(request(host=host + ":{port}")(daemon.port, TOKEN))

    assert received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("origin", ["null", "file://", "uxp://com.example.panel"])
async def test_a_plug_ins_origin_with_the_token_is_taken(daemon: Rig, origin: str) -> None:
    """Whatever Photoshop's runtime sends."""
    received = await daemon.raw(request(headers=(f"Origin: {origin}",))(daemon.port, TOKEN))

    assert received.startswith(b"HTTP/1.1 200 ")


def test_the_list_is_long_enough() -> None:
    """At least 25 kinds, no two of one name."""
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 25
