"""`GET /v1/health`: what it says in each state, and the proof that keeps clients from strangers."""

import asyncio
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from colorize_server import __version__
from colorize_server.installation.probe import Who, probe
from daemon_rig import QUICK, TOKEN, Rig, running, until


async def test_health_describes_a_ready_daemon(rig: Rig) -> None:
    """Every member of PROTOCOL.md is there, and no token is needed."""
    reply = await rig.ask("GET", "/v1/health", token=None)

    assert reply.status == 200
    assert reply.json == {
        "product": "colorize-server",
        "version": __version__,
        "protocol": 1,
        "features": ["recipe", "touchups", "provenance", "layers"],
        "state": "ready",
        "ready": True,
        "backend": {
            "requested": "auto",
            "active": "scripted",
            "device": "CPU",
            "providers": [],
            "reason": "the tests asked for it",
        },
        "model": {
            "name": "scripted",
            "version": "1",
            "sha256": "0" * 64,
            "multiple_of": 32,
            "sizes": [64, 128],
            "default_size": 64,
        },
        "suggestions": True,
        "queue": {"length": 0, "running": 0, "limit": 16},
        "limits": {"max_body_bytes": 2 << 30, "max_pixels": 300_000_000, "max_side": 60_000},
    }


async def test_health_proves_that_it_knows_the_token(rig: Rig) -> None:
    """The proof is HMAC-SHA256 of the nonce as it was sent, upper case and all, and of the port that was asked."""
    nonce = "AbCdEf0123456789"

    reply = await rig.ask("GET", f"/v1/health?nonce={nonce}", token=None)

    assert reply.json["proof"] == hmac.new(TOKEN.encode(), f"{nonce}:{rig.port}".encode(), hashlib.sha256).hexdigest()


async def test_a_proof_cannot_be_handed_on_from_another_port(rig: Rig, unused_tcp_port: int) -> None:
    """A stranger who forwards the question to us, and our proof back, is not taken for us."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        ours, to_ours = await asyncio.open_connection("127.0.0.1", rig.port)
        to_ours.write(head.replace(str(unused_tcp_port).encode(), str(rig.port).encode()))
        writer.write(await ours.readuntil(b"\r\n\r\n"))
        writer.write(await ours.read(65536))
        await writer.drain()
        writer.close()
        to_ours.close()

    relay = await asyncio.start_server(forward, "127.0.0.1", unused_tcp_port)
    async with relay:
        direct = await asyncio.to_thread(probe, "127.0.0.1", rig.port, TOKEN)
        relayed = await asyncio.to_thread(probe, "127.0.0.1", unused_tcp_port, TOKEN)

    assert direct.who is Who.OURS
    assert relayed.who is Who.OTHER


@pytest.mark.parametrize(
    "query", ["nonce=abc", "nonce=" + "g" * 32, "nonce=" + "a" * 129, "nonce=", "name=1", "nonce=%0A"]
)
async def test_health_refuses_a_bad_question(rig: Rig, query: str) -> None:
    """A nonce that is none, and parameters that there are not, are refused."""
    reply = await rig.ask("GET", f"/v1/health?{query}", token=None)

    assert (reply.status, reply.code) == (400, "bad_parameter")


async def test_health_while_the_model_is_being_loaded() -> None:
    """Backend and model are null until they are known."""
    async with running(wait_until_ready=False, backend="loads-slowly") as rig:
        health = (await rig.ask("GET", "/v1/health", token=None)).json

        assert (health["state"], health["ready"], health["model"]) == ("starting", False, None)
        assert health["backend"] == {
            "requested": "loads-slowly",
            "active": None,
            "device": None,
            "providers": [],
            "reason": None,
        }
        await until(lambda: rig.inference.is_ready)
        assert (await rig.ask("GET", "/v1/health", token=None)).json["ready"]


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("fails", "The model /models/base.onnx is damaged."),
        ("dies", "The inference process could not be started (its exit code was 7)."),
        ("defect", "The model could not be opened (ZeroDivisionError)."),
    ],
)
async def test_health_tells_why_the_model_could_not_be_loaded(backend: str, message: str) -> None:
    """A damaged model leaves a daemon that says so."""
    async with running(replace(QUICK, restart_pause_s=60), wait_until_ready=False, backend=backend) as rig:
        await until(lambda: rig.inference.failure is not None)

        health = (await rig.ask("GET", "/v1/health", token=None)).json

        assert (health["state"], health["ready"]) == ("failed", False)
        assert health["error"]["code"] == "model_unavailable"
        assert health["error"]["message"] == message
        assert health["error"]["hint"]


async def test_a_model_that_loads_for_ever_is_given_up() -> None:
    """The time for loading is bounded."""
    async with running(replace(QUICK, start_timeout_s=0.5), wait_until_ready=False, backend="loads-for-ever") as rig:
        await until(lambda: rig.inference.failure is not None)

        assert "took too long" in (await rig.ask("GET", "/v1/health")).json["error"]["message"]


async def test_asking_a_daemon_that_has_failed_makes_it_try_again(tmp_path: Path) -> None:
    """Clients ask first and send nothing to a daemon that has failed: no other request would ever come."""
    async with running(wait_until_ready=False, backend="fails-once", model=tmp_path / "marker") as rig:
        await until(lambda: rig.inference.failure is not None)
        await asyncio.sleep(QUICK.restart_pause_s)

        health = (await rig.ask("GET", "/v1/health", token=None)).json

        assert (health["state"], health["ready"]) == ("starting", False)
        assert health["error"]["message"] == "The model is damaged."  # why it failed before
        await until(lambda: rig.inference.is_ready)
        health = (await rig.ask("GET", "/v1/health", token=None)).json
        assert health["state"] == "ready"


async def test_asking_again_and_again_does_not_start_processes_again_and_again() -> None:
    """Until the pause is over, it stays with the last try."""
    async with running(replace(QUICK, restart_pause_s=60), wait_until_ready=False, backend="fails") as rig:
        await until(lambda: rig.inference.failure is not None)
        child = rig.inference.pid

        states = {(await rig.ask("GET", "/v1/health", token=None)).json["state"] for _ in range(10)}

        assert states == {"failed"}
        assert rig.inference.pid == child
