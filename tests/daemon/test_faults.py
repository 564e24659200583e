"""An inference process that crashes, hangs, runs out of memory, or cannot be started: what is lost, and what is not."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from daemon_rig import QUICK, Rig, running, until
from scripted_child import CRASH, DEFECT, EXIT, HANG, HANG_WITH_LOCK, KILLED, NO_MEMORY, NORMAL, REFUSED, SLOW


@pytest.mark.parametrize(
    ("how", "reason"), [(CRASH, "signal SIGSEGV"), (KILLED, "signal SIGKILL"), (EXIT, "exit code was 3")]
)
async def test_a_crash_costs_one_picture(rig: Rig, how: int, reason: str) -> None:
    """Its client learns why, the others are served by a new process."""
    before = rig.child.pid

    crashed, *others = await asyncio.gather(*(rig.colorize(bytes([way])) for way in (how, NORMAL, NORMAL)))

    assert (crashed.status, crashed.code) == (503, "inference_failed")
    assert reason in crashed.json["message"]
    assert crashed.headers["Retry-After"] == "2"
    assert [reply.status for reply in others] == [200, 200]
    assert rig.child.pid != before
    assert rig.inference.restarts == 1


@pytest.mark.parametrize("how", [HANG, HANG_WITH_LOCK])
async def test_a_hang_costs_one_picture(how: int) -> None:
    """The watchdog ends a process that gives no sign of life."""
    async with running(replace(QUICK, stall_s=1)) as rig:
        hung, other = await asyncio.gather(rig.colorize(bytes([how])), rig.colorize(bytes([NORMAL])))

        assert (hung.status, hung.code) == (503, "inference_failed")
        assert "it hung" in hung.json["message"]
        assert other.status == 200


async def test_work_that_reports_progress_is_not_taken_for_hung() -> None:
    """However long it takes all in all."""
    from scripted_child import STEPS

    async with running(replace(QUICK, stall_s=0.6)) as rig:
        assert (await rig.colorize(bytes([STEPS]))).status == 200
        assert rig.inference.restarts == 0


async def test_a_process_that_is_killed_while_it_idles_is_replaced(rig: Rig) -> None:
    """The next picture waits for the new one."""
    child = rig.child
    child.kill()
    await until(lambda: not rig.inference.is_ready)

    reply = await rig.colorize(bytes([NORMAL]))

    assert reply.status == 200
    assert rig.child.pid != child.pid


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [(NO_MEMORY, 503, "out_of_memory"), (DEFECT, 500, "internal"), (REFUSED, 422, "damaged_picture")],
)
async def test_an_error_in_the_process_leaves_it_running(rig: Rig, how: int, status: int, code: str) -> None:
    """The client gets the error, the next picture gets its colours."""
    before = rig.child.pid

    reply = await rig.colorize(bytes([how]))

    assert (status, code) == (reply.status, reply.code)
    assert reply.json["message"]
    assert reply.json["hint"]
    assert (await rig.colorize(bytes([NORMAL]))).status == 200
    assert rig.child.pid == before


async def test_a_deadline_ends_work(rig: Rig) -> None:
    """Waiting and running together."""
    async with running(replace(QUICK, deadline_s=3)) as rig:
        late, waiting = await asyncio.gather(rig.colorize(bytes([HANG])), rig.colorize(bytes([NORMAL])))

        assert (late.status, late.code) == (503, "deadline_exceeded")
        assert "Retry-After" in late.headers
        assert waiting.status in (200, 503)
        assert (await rig.colorize(bytes([NORMAL]))).status == 200


async def test_a_picture_that_waits_past_its_deadline_is_told_so() -> None:
    """It does not have to wait for its turn to learn that it has none."""
    async with running(replace(QUICK, deadline_s=1.5, stall_s=60)) as rig:
        first = await rig.colorize(bytes([HANG]), path="jobs")
        began = time.monotonic()
        await asyncio.sleep(0.8)
        second = await rig.colorize(bytes([NORMAL]), path="jobs")

        job = await rig.finished_job(first.json["id"])

        assert (job["state"], job["error"]["code"]) == ("failed", "deadline_exceeded")
        assert time.monotonic() - began < 10
        assert (await rig.finished_job(second.json["id"]))["state"] in ("done", "failed")


@pytest.mark.parametrize("backend", ["fails", "dies", "defect"])
async def test_without_an_engine_requests_are_refused_with_the_reason(backend: str) -> None:
    """503 `model_unavailable`, and the daemon stays."""
    async with running(wait_until_ready=False, backend=backend) as rig:
        await until(lambda: rig.inference.failure is not None)

        for _ in range(2):
            reply = await rig.colorize(bytes([NORMAL]))
            assert (reply.status, reply.code) == (503, "model_unavailable")


async def test_an_engine_that_was_repaired_is_taken_up(tmp_path: Path) -> None:
    """Without a restart of the daemon."""
    async with running(wait_until_ready=False, backend="fails-once", model=tmp_path / "marker") as rig:
        await until(lambda: rig.inference.failure is not None)
        await asyncio.sleep(QUICK.restart_pause_s)

        reply = await rig.colorize(bytes([NORMAL]))

        assert reply.status == 200
        assert (await rig.ask("GET", "/v1/health")).json["state"] == "ready"


async def test_while_the_model_is_being_loaded_requests_are_refused() -> None:
    """503 `starting`, with Retry-After."""
    async with running(wait_until_ready=False, backend="loads-slowly") as rig:
        reply = await rig.colorize(bytes([NORMAL]))

        assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "starting", "1")


async def test_a_clock_that_jumps_changes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines and expiry follow the clock that only goes forward."""
    job = (await rig.colorize(bytes([SLOW]), path="jobs")).json["id"]
    real = time.time()

    monkeypatch.setattr(time, "time", lambda: real + 1e8)
    await asyncio.sleep(1.2)

    assert (await rig.finished_job(job))["state"] == "done"
    monkeypatch.setattr(time, "time", lambda: real - 1e8)
    await asyncio.sleep(1.2)
    assert (await rig.ask("GET", f"/v1/jobs/{job}/result")).status == 200
    assert (await rig.colorize(bytes([NORMAL]))).status == 200


async def test_a_machine_that_slept_does_not_look_like_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the steady clock counts sleep, one long step counts little."""
    async with running(replace(QUICK, stall_s=5)) as rig:
        task = asyncio.create_task(rig.colorize(bytes([SLOW])))
        await until(lambda: rig.inference._child.run is not None)
        slept = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
        monkeypatch.setattr("colorize_server.inference.process.time", slept)

        assert (await task).status == 200
        assert rig.inference.restarts == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds another process")
async def test_a_process_without_addresses_for_a_picture(rig: Rig) -> None:
    """It says so at once, and takes the next picture that it has room for."""
    before = rig.child.pid
    rig.child.rlimit(psutil.RLIMIT_AS, (rig.child.memory_info().vms + (20 << 20),) * 2)

    refused = await rig.colorize(bytes([NORMAL]), width=8000, height=8000)

    assert (refused.status, refused.code) == (503, "out_of_memory")
    assert (await rig.colorize(bytes([NORMAL]))).status == 200
    assert rig.child.pid == before
