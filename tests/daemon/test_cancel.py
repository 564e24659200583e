"""A client that closes its socket: GIMP ends its plug-in when Cancel is pressed, so there is no other way to say it."""

import asyncio
import time

import pytest
from daemon_rig import TOKEN, Rig, cpu_seconds, until
from scripted_child import BUSY, HANG, HANG_WITH_LOCK, NORMAL, SLOW, STEPS


async def _send(rig: Rig, how: int, *, sent_bytes: int | None = None) -> asyncio.StreamWriter:
    """Send a picture, or the beginning of one, and leave the connection open."""
    body = bytes([how]) * 256
    head = (
        f"POST /v1/colorize?width=16&height=16&channels=1 HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\n"
        f"X-Colorize-Token: {TOKEN}\r\nContent-Type: application/octet-stream\r\nContent-Length: 256\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head.encode() + body[:sent_bytes])
    await writer.drain()
    return writer


@pytest.mark.parametrize("how", [SLOW, STEPS, HANG, HANG_WITH_LOCK, BUSY])
async def test_closing_the_socket_ends_the_work(rig: Rig, how: int) -> None:
    """Whatever the native code does: a second later nothing runs, and the next picture is served."""
    writer = await _send(rig, how)
    await until(lambda: rig.inference._child.run is not None)
    child = rig.child
    await asyncio.sleep(0.1)

    writer.close()
    began = time.monotonic()

    await until(lambda: not rig.scheduler_busy())
    assert time.monotonic() - began < 3  # 0.3 s of grace, and a busy machine
    used = cpu_seconds(child)
    await asyncio.sleep(0.5)
    assert cpu_seconds(child) - used < 0.1
    assert rig.is_quiet
    assert (await rig.colorize(bytes([NORMAL]))).status == 200


@pytest.mark.parametrize("deleted", [True, False])
async def test_cancelling_twice_disturbs_nobody_else(rig: Rig, deleted: bool) -> None:
    """The next picture waits until the process has let go, and is not given to one that is about to be ended."""
    job = (await rig.colorize(bytes([BUSY]), path="jobs", client="a")).json["id"]
    await until(lambda: rig.inference._child.run is not None and rig.inference._child.run.is_taken)

    for _ in range(2):
        if deleted:
            await rig.ask("DELETE", f"/v1/jobs/{job}")
        else:  # as a deadline, and the daemon's end
            rig.scheduler._running_task.cancel()
            await asyncio.sleep(0.02)

    assert (await rig.colorize(bytes([NORMAL]), client="b")).status == 200
    assert rig.inference.restarts == 1


async def test_work_that_listens_keeps_its_process(rig: Rig) -> None:
    """Only what does not stop by itself costs a new process."""
    before = rig.child.pid
    writer = await _send(rig, STEPS)
    await until(lambda: rig.inference._child.run is not None)
    await asyncio.sleep(0.1)

    writer.close()
    await until(lambda: not rig.scheduler_busy())

    assert rig.child.pid == before
    assert rig.inference.restarts == 0


async def test_closing_the_socket_while_waiting_leaves_the_queue_at_once(rig: Rig) -> None:
    """The work never starts, and the one under way is not disturbed."""
    first = asyncio.create_task(rig.colorize(bytes([SLOW])))
    await until(lambda: rig.inference._child.run is not None)
    writer = await _send(rig, BUSY)
    await until(lambda: rig.queue_length() == 1)

    writer.close()

    await until(lambda: rig.queue_length() == 0, timeout_s=3)
    assert (await first).status == 200
    assert rig.inference.restarts == 0


async def test_closing_the_socket_in_the_middle_of_the_body(rig: Rig) -> None:
    """The place in the queue and the memory are given back."""
    writer = await _send(rig, NORMAL, sent_bytes=100)
    await until(rig.scheduler_busy)

    writer.close()

    await until(lambda: rig.is_quiet, timeout_s=3)


async def test_closing_the_socket_while_the_answer_comes(rig: Rig) -> None:
    """An answer that nobody reads is given back."""
    size = 3000
    body = bytes(size * size)
    head = (
        f"POST /v1/colorize?width={size}&height={size}&channels=1 HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\n"
        f"X-Colorize-Token: {TOKEN}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head.encode() + body)
    await writer.drain()
    assert (await reader.read(1000)).startswith(b"HTTP/1.1 200")

    writer.transport.abort()

    await until(lambda: rig.is_quiet, timeout_s=5)
    assert (await rig.colorize(bytes([NORMAL]))).status == 200
