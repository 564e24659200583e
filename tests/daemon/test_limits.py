"""Bounds: bodies, headers, connections, waiting pictures, memory, clients that do not read."""

import asyncio
import contextlib
import io
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from colorize_server.daemon.keys import CONNECTIONS
from colorize_server.daemon.scheduler import TurnedAway
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import QUICK, RAW, TOKEN, Rig, running, until
from PIL import Image
from scripted_child import NORMAL, SLOW


def _head(rig: Rig, length: int, query: str = "width=16&height=16&channels=1") -> bytes:
    return (
        f"POST /v1/colorize?{query} HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\nX-Colorize-Token: {TOKEN}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def test_a_body_that_comes_by_the_byte_is_refused() -> None:
    """Each byte comes in time, all of them together do not."""
    async with running(replace(QUICK, body_idle_s=1.0)) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(_head(rig, 256))
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"x")
                await writer.drain()
                if rig.is_quiet and time.monotonic() - began > 0.5:
                    break
                await asyncio.sleep(0.05)
        answer = await asyncio.wait_for(reader.read(1000), 5)
        writer.close()

        assert b"408" in answer.split(b"\r\n")[0]
        assert time.monotonic() - began < 8
        assert rig.is_quiet


@pytest.mark.parametrize("beginning", [b"", b"GET /v1/hea", b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: "])
async def test_headers_that_never_end_are_hung_up_on(beginning: bytes) -> None:
    """Even if a byte comes now and then."""
    async with running(replace(QUICK, header_timeout_s=0.5)) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        began = time.monotonic()
        writer.write(beginning)
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5 and not reader.at_eof():
                if beginning:
                    writer.write(b"a")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.05)
        writer.close()

        assert time.monotonic() - began < 4


async def test_thousands_of_connections_leave_room_for_one_more() -> None:
    """At most 256 are kept, and health answers within a second."""
    async with running(replace(QUICK, header_timeout_s=60)) as rig:
        writers = []
        for _ in range(600):
            _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            writers.append(writer)
        assert len(rig.app[CONNECTIONS]) <= 256

        began = time.monotonic()
        assert (await rig.ask("GET", "/v1/health")).status == 200
        assert time.monotonic() - began < 1
        assert (await rig.colorize(bytes([NORMAL]))).status == 200
        for writer in writers:
            writer.close()


async def test_a_connection_with_work_under_way_is_kept() -> None:
    """New connections push out idle ones only."""
    async with running(replace(QUICK, max_connections=5)) as rig:
        working = asyncio.create_task(rig.colorize(bytes([SLOW])))
        await until(lambda: rig.inference._child.run is not None)
        writers = [(await asyncio.open_connection("127.0.0.1", rig.port))[1] for _ in range(20)]

        assert (await working).status == 200
        for writer in writers:
            writer.close()


async def test_one_client_cannot_fill_the_queue() -> None:
    """There is room for another one."""
    async with running(replace(QUICK, max_waiting=8, max_waiting_per_client=4)) as rig:
        greedy = [asyncio.create_task(rig.colorize(bytes([SLOW]), client="a"))]
        await until(lambda: rig.inference._child.run is not None)
        greedy += [asyncio.create_task(rig.colorize(bytes([NORMAL]), client="a")) for _ in range(7)]
        await until(lambda: sum(task.done() for task in greedy) == 3)

        other = asyncio.create_task(rig.colorize(bytes([NORMAL]), client="b"))
        refused = [task.result() for task in greedy if task.done()]

        assert {(reply.status, reply.code) for reply in refused} == {(503, "queue_full")}
        assert (await other).status == 200
        replies = await asyncio.gather(*greedy)
        assert [reply.status for reply in replies].count(200) == 5


async def test_a_place_is_taken_from_the_first_byte_on() -> None:
    """Half a picture counts as waiting, and is refused at once when there is no place."""
    async with running(replace(QUICK, max_waiting=1)) as rig:
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(_head(rig, 256) + b"x")
        await until(rig.scheduler_busy)

        assert (await rig.colorize(bytes([NORMAL]), client="b")).code == "queue_full"
        writer.close()
        await until(lambda: not rig.scheduler_busy())
        assert (await rig.colorize(bytes([NORMAL]), client="b")).status == 200


async def test_a_picture_that_can_never_fit_is_out_of_memory() -> None:
    """And the next one, that does, is served."""
    async with running(replace(QUICK, max_held_bytes=100_000)) as rig:
        refused = await rig.colorize(bytes([NORMAL]), width=1000, height=1000)

        assert (refused.status, refused.code) == (503, "out_of_memory")
        assert (await rig.colorize(bytes([NORMAL]))).status == 200
        assert rig.is_quiet


async def test_a_picture_whose_body_and_answer_do_not_fit_together_can_never_fit() -> None:
    """Nobody else holds memory; trying again would not help."""
    async with running(replace(QUICK, max_held_bytes=1_500_000)) as rig:
        refused = await rig.colorize(bytes([NORMAL]), width=640, height=640)  # 1.2 and 0.4 MB

        assert (refused.status, refused.code) == (503, "out_of_memory")
        assert "Retry-After" not in refused.headers
        assert rig.is_quiet


async def test_a_body_of_unknown_length_needs_no_more_than_its_last_buffers(tiny_model_path: Path) -> None:
    """Those that it has outgrown are given back."""
    noise = np.random.default_rng(0).integers(0, 256, (1250, 1200, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG", compress_level=0)
    png = stream.getvalue()
    assert 4_400_000 < len(png) < 4_700_000  # buffers of 1, 2, 4 and 8 MiB

    async def chunks():  # type: ignore[no-untyped-def]
        for start in range(0, len(png), 1 << 16):
            yield png[start : start + (1 << 16)]

    limits = replace(QUICK, max_held_bytes=13_000_000)
    async with running(limits, child=CHILD_COMMAND, model=tiny_model_path) as rig:
        reply = await rig.ask("POST", "/v1/colorize", chunks(), {"Content-Type": "image/png"})

        assert reply.status == 200, reply.body
        assert rig.is_quiet


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(rig: Rig) -> None:
    """As curl does, with larger bodies."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(_head(rig, 256)[:-2] + b"Expect: 100-continue\r\n\r\n")
    asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(bytes([NORMAL]) * 256)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(await asyncio.wait_for(reader.readexactly(256 * 3), 10)) == 256 * 3
    writer.close()


@pytest.mark.parametrize(
    ("length", "version", "status"), [(255, "1.1", 400), (256, "1.0", 200), (100_000_000, "1.1", 400)]
)
async def test_a_body_that_is_not_wanted_or_not_waited_with_is_not_asked_for(
    rig: Rig, length: int, version: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    head = _head(rig, length)[:-2].replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    writer.write(head + b"Expect: 100-continue\r\n\r\n")
    if status == 200:
        writer.write(bytes([NORMAL]) * length)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    assert answer.split()[1] == str(status).encode()
    writer.close()


async def test_a_picture_that_does_not_fit_now_may_try_again() -> None:
    """Other pictures hold the memory: 503 with Retry-After."""
    async with running(replace(QUICK, max_held_bytes=20_000)) as rig:
        first = asyncio.create_task(rig.colorize(bytes([SLOW]), width=64, height=64))
        await until(lambda: rig.inference._child.run is not None)

        reply = await rig.colorize(bytes([NORMAL]), width=64, height=64)

        assert (reply.status, reply.code) == (503, "queue_full")
        assert "Retry-After" in reply.headers
        assert (await first).status == 200


async def test_a_machine_without_memory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system has left counts, too."""
    real = psutil.virtual_memory
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=QUICK.min_free_bytes + 100))
    assert (await rig.colorize(bytes([NORMAL]))).code == "out_of_memory"

    # The body would fit, and so would the answer, but not both: no page of either has been touched yet.
    free = SimpleNamespace(available=QUICK.min_free_bytes + 1_500_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert (await rig.colorize(bytes([NORMAL]), width=640, height=640)).code == "out_of_memory"

    monkeypatch.setattr(psutil, "virtual_memory", real)
    assert (await rig.colorize(bytes([NORMAL]))).status == 200


async def test_a_client_that_does_not_read_its_answer_loses_it() -> None:
    """Its memory is for those who do."""
    async with running(replace(QUICK, answer_idle_s=0.5)) as rig:
        size = 3000
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port, limit=1 << 16)
        writer.write(_head(rig, size * size, f"width={size}&height={size}&channels=1") + bytes(size * size))
        await writer.drain()
        await until(rig.scheduler_busy)

        await until(lambda: rig.is_quiet, timeout_s=15)
        writer.close()


async def test_an_encoded_body_that_is_too_long(rig: Rig) -> None:
    """Also when it does not say so beforehand."""
    async with running(replace(QUICK, max_body_bytes=100_000)) as rig:

        async def chunks():  # type: ignore[no-untyped-def]
            for _ in range(40):
                yield bytes(10_000)

        reply = await rig.ask("POST", "/v1/colorize", chunks(), {"Content-Type": "image/png"})

        assert (reply.status, reply.code) == (413, "body_too_large")
        assert rig.is_quiet


async def test_more_chunks_than_the_picture_has_bytes(rig: Rig) -> None:
    """Refused as soon as they are too many, or at the end if they are too few."""
    for count in (15, 17):

        async def chunks(count: int = count):  # type: ignore[no-untyped-def]
            for _ in range(count):
                yield bytes(16)

        reply = await rig.ask("POST", "/v1/colorize?width=16&height=16&channels=1", chunks(), RAW)
        assert (reply.status, reply.code) == (400, "bad_body")


async def test_who_was_turned_away_finds_a_place_when_he_comes_back() -> None:
    """Clients that ask again as soon as they are answered do not keep the others out for ever."""
    async with running(replace(QUICK, max_waiting=2)) as rig:
        accepted = dict.fromkeys("abcdef", 0)

        async def ask_again_and_again(client: str) -> None:
            while not all(accepted.values()):
                reply = await rig.colorize(bytes([NORMAL]), client=client)
                accepted[client] += reply.status == 200
                if reply.status == 503:
                    await asyncio.sleep(0.3)

        async with asyncio.timeout(30):
            await asyncio.gather(*(ask_again_and_again(client) for client in accepted))

        assert min(accepted.values()) >= 1


async def test_who_is_turned_away_is_told_when_his_turn_comes() -> None:
    """The time grows with the rank, and asking again too early changes neither."""
    async with running(replace(QUICK, max_waiting=1)) as rig:
        rig.scheduler._mean_run_s = 2.0
        holding = [asyncio.create_task(rig.colorize(bytes([SLOW]), client="a"))]
        await until(lambda: rig.inference._child.run is not None)
        holding.append(asyncio.create_task(rig.colorize(bytes([NORMAL]), client="b")))
        await until(lambda: rig.queue_length() == 1)

        told = [(await rig.colorize(bytes([NORMAL]), client=name)).headers["Retry-After"] for name in "cdecd"]

        assert told == ["1", "3", "4", "1", "3"]
        assert [(await reply).status for reply in holding] == [200, 200]


def test_who_does_not_come_back_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a program that was closed."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    turned_away = TurnedAway(most=3)
    for name, wait_s in (("a", 10), ("b", 1), ("c", 10), ("d", 10)):
        turned_away.expect(name, wait_s)

    assert [turned_away.before(name) for name in "abcd"] == [0, 1, 2, 3]  # no more than three are remembered
    now += 5
    assert [turned_away.before(name) for name in "acb"] == [0, 1, 2]
    turned_away.forget("a")
    assert turned_away.before("c") == 0
