"""Every code of PROTOCOL.md, provoked over a socket, with its status."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from colorize_server.settings import Limits
from daemon_rig import QUICK, RAW, TOKEN, Reply, Rig, running, until
from scripted_child import CRASH, DEFECT, HANG, NO_MEMORY, NORMAL, REFUSED, SLOW

PROTOCOL = Path(__file__).parents[2] / "server" / "PROTOCOL.md"
Provoke = Callable[[Rig], Awaitable[Reply]]


async def _finished_job(rig: Rig) -> str:
    job_id: str = (await rig.colorize(bytes([NORMAL]), path="jobs")).json["id"]
    await rig.finished_job(job_id)
    return job_id


async def _wire(rig: Rig, data: bytes) -> Reply:
    received = await rig.raw(data)
    head, _, body = received.partition(b"\r\n\r\n")
    return Reply(int(head.split()[1]), {}, body)


async def slow_body(rig: Rig) -> Reply:
    head = f"POST /v1/colorize?width=16&height=16&channels=1 HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\n"
    head += f"X-Colorize-Token: {TOKEN}\r\nContent-Type: application/octet-stream\r\nContent-Length: 256\r\n\r\n"
    return await _wire(rig, head.encode() + b"x")


async def large_headers(rig: Rig) -> Reply:
    return await _wire(
        rig, f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\nA: {'a' * 20_000}\r\n\r\n".encode()
    )


async def early_result(rig: Rig) -> Reply:
    job = await rig.colorize(bytes([SLOW]), path="jobs")
    return await rig.ask("GET", f"/v1/jobs/{job.json['id']}/result")


async def expired_job(rig: Rig) -> Reply:
    job_id = await _finished_job(rig)
    await rig.ask("DELETE", f"/v1/jobs/{job_id}")
    return await rig.ask("GET", f"/v1/jobs/{job_id}/result")


async def full_queue(rig: Rig) -> Reply:
    first = [asyncio.create_task(rig.colorize(bytes([SLOW]), client="first"))]
    await until(lambda: rig.inference._child.run is not None)
    first += [asyncio.create_task(rig.colorize(bytes([NORMAL]), client=str(n))) for n in range(2)]
    await until(lambda: rig.queue_length() == 2)
    reply = await rig.colorize(bytes([NORMAL]), client="x")
    await asyncio.gather(*first)
    return reply


async def stopping(rig: Rig) -> Reply:
    await rig.scheduler.drain(0)
    return await rig.colorize(bytes([NORMAL]))


async def starting(rig: Rig) -> Reply:
    rig.inference.info = None
    rig.inference._child.is_ready.clear()
    return await rig.colorize(bytes([NORMAL]))


async def no_model(rig: Rig) -> Reply:
    await until(lambda: rig.inference.failure is not None)
    return await rig.colorize(bytes([NORMAL]))


def _ask(method: str, target: str, body: bytes | None = None, **headers: str) -> Provoke:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda rig: rig.ask(method, target, body, names)


def _picture(how: int = NORMAL, query: str = "", *, width: int = 16, height: int = 16) -> Provoke:
    return lambda rig: rig.colorize(bytes([how]), width=width, height=height, query=query)


CASES: dict[str, tuple[int, Provoke]] = {
    "bad_parameter": (400, _picture(query="&saturation=3")),
    "bad_body": (400, _ask("POST", "/v1/colorize?width=16&height=16&channels=1", b"short", **RAW)),
    "token_missing": (401, lambda rig: rig.ask("GET", "/v1/jobs/x", token=None)),
    "token_wrong": (401, lambda rig: rig.ask("GET", "/v1/jobs/x", token="0" * 64)),
    "host_refused": (403, _ask("GET", "/v1/health", Host="evil.example")),
    "origin_refused": (403, _ask("GET", "/v1/health", Origin="https://evil.example")),
    "not_found": (404, _ask("GET", "/v2/health")),
    "job_unknown": (404, _ask("GET", "/v1/jobs/unknown")),
    "method_not_allowed": (405, _ask("PUT", "/v1/health")),
    "body_too_slow": (408, slow_body),
    "job_not_finished": (409, early_result),
    "job_expired": (410, expired_job),
    "body_too_large": (413, _ask("POST", "/v1/colorize", bytes(3_000_000), Content_Type="image/png")),
    "picture_too_large": (413, _picture(width=60_001)),
    "unsupported_media_type": (415, _ask("POST", "/v1/colorize", b"GIF89a", Content_Type="image/gif")),
    "damaged_picture": (422, _picture(REFUSED)),
    "picture_too_small": (422, _picture(width=7)),
    "size_not_offered": (422, _picture(query="&size=100")),
    "headers_too_large": (431, large_headers),
    "queue_full": (503, full_queue),
    "starting": (503, starting),
    "stopping": (503, stopping),
    "model_unavailable": (503, no_model),
    "out_of_memory": (503, _picture(NO_MEMORY)),
    "inference_failed": (503, _picture(CRASH)),
    "deadline_exceeded": (503, _picture(HANG)),
    "internal": (500, _picture(DEFECT)),
}
ELSEWHERE = {
    "bad_hints": "test_encoded.py",
    "bad_recipe": "test_recipe.py",
    "recipe_mismatch": "test_recipe.py",
    "no_suggestions": "test_suggest.py",
    "disk_full": "../inference/test_memory.py",
}
"""Codes that need the product's own engine, or no request."""

SETTINGS: dict[str, Limits] = {
    "body_too_slow": replace(QUICK, body_idle_s=0.3),
    "body_too_large": replace(QUICK, max_body_bytes=1_000_000),
    "queue_full": replace(QUICK, max_waiting=2),
    "deadline_exceeded": replace(QUICK, deadline_s=0.5),
}
NEEDS_RETRY_AFTER = ("queue_full", "starting", "stopping")


@pytest.mark.parametrize("code", CASES)
async def test_error(code: str) -> None:
    """The status is the documented one, and the words say what happened and what to do."""
    status, provoke = CASES[code]
    broken = code == "model_unavailable"
    async with running(
        SETTINGS.get(code, QUICK), wait_until_ready=not broken, backend="fails" if broken else "auto"
    ) as rig:
        reply = await provoke(rig)

        assert (status, code) == (reply.status, reply.code)
        assert set(reply.json) == {"code", "message", "hint"}
        assert reply.json["message"].endswith(".")
        assert reply.json["hint"].endswith(".")
        if code in NEEDS_RETRY_AFTER:
            assert 1 <= int(reply.headers["Retry-After"]) <= 30


def test_every_code_of_the_protocol_is_tested() -> None:
    """A code that is added to PROTOCOL.md needs a test, and one that is tested needs to be there."""
    table = PROTOCOL.read_text("utf-8").split("## Errors")[1]
    rows = [line.split("|")[1:3] for line in table.splitlines() if re.match(r"\| \d{3} \|", line)]
    documented = {code: int(status) for status, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}

    assert set(documented) == set(CASES) | set(ELSEWHERE)
    assert {code: status for code, (status, _) in CASES.items()} == {
        code: status for code, status in documented.items() if code in CASES
    }
    for code, file in ELSEWHERE.items():
        assert code in (Path(__file__).parent / file).read_text("utf-8")


BAD_QUERIES = [
    "height=16&channels=1", "width=16&channels=1", "width=16&height=16", "width=&height=16&channels=1",
    "width=16&height=16&channels=0", "width=16&height=16&channels=5", "width=16&height=16&channels=1&depth=32",
    "width=16&height=16&channels=1&profile=cmyk", "width=16&height=16&channels=1&profile=adobe-rgb",
    "width=16&height=16&channels=3&profile=gray-gamma-2.2", "width=16&height=16&channels=1&output=movie",
    "width=16&height=16&channels=1&host=krita", "width=16&height=16&channels=1&blend=screen",
    "width=16&height=16&channels=1&size=big", "width=16&height=16&channels=1&saturation=-0.1",
    "width=16&height=16&channels=1&saturation=2.1", "width=16&height=16&channels=1&saturation=nan",
    "width=16&height=16&channels=1&hints=png", "width=16&height=16&channels=1&recipe=-1",
    "width=16&height=16&channels=1&recipe=0", "width=16&height=16&channels=1&include=doubt,doubt",
    "width=16&height=16&channels=1&include=everything",
    "width=16&height=16&channels=1&satuartion=1", "width=16&width=16&height=16&channels=1",
    "width=1e1&height=16&channels=1",
    "width=16.0&height=16&channels=1", "width=+16&height=16&channels=1", "width=16&height=16&channels=1&include=",
]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_bad_queries(calm_rig: Rig, query: str) -> None:
    """A parameter that is missing, unknown, repeated or out of its range is named."""
    reply = await calm_rig.ask("POST", f"/v1/colorize?{query}", bytes(256), RAW)

    assert (reply.status, reply.code) == (400, "bad_parameter")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["width", "height", "channels", "depth", "profile", "hints"])
async def test_parameters_of_raw_pixels_with_a_file(calm_rig: Rig, name: str) -> None:
    """An encoded picture says these things itself."""
    reply = await calm_rig.ask("POST", f"/v1/colorize?{name}=1", b"x", {"Content-Type": "image/png"})

    assert (reply.status, reply.code) == (400, "bad_parameter")
