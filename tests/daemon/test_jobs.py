"""Jobs: the same work for clients that cannot hold a request open."""

import asyncio
import time
from dataclasses import replace

import pytest
from colorize_server.daemon.keys import JOBS
from daemon_rig import QUICK, Rig, cpu_seconds, running, until
from scripted_child import BUSY, NO_MEMORY, NORMAL, SLOW, STEPS


async def _job(rig: Rig, how: int, **rest: object) -> str:
    reply = await rig.colorize(bytes([how]), path="jobs", **rest)  # type: ignore[arg-type]
    assert reply.status == 202, reply.body
    assert reply.headers["Location"] == f"/v1/jobs/{reply.json['id']}"
    job_id: str = reply.json["id"]
    return job_id


async def test_a_job_from_its_picture_to_its_result(rig: Rig) -> None:
    """Posted, done, fetched twice, deleted twice, gone."""
    job_id = await _job(rig, NORMAL)

    job = await rig.finished_job(job_id)

    assert job["state"] == "done"
    assert job["result"] == {
        "bytes": 768, "width": 16, "height": 16, "channels": 3, "depth": 8, "content_type": "application/octet-stream",
    }  # fmt: skip
    assert (job["progress"], job["position"]) == (1.0, 0)
    assert set(job["timings"]) == {"queue_ms", "decode_ms", "network_ms", "picture_ms", "encode_ms"}
    assert "error" not in job
    for _ in range(2):
        result = await rig.ask("GET", f"/v1/jobs/{job_id}/result")
        assert (200, bytes([255, 0, 7]) * 256) == (result.status, result.body)
        assert result.headers["X-Colorize-Width"] == "16"
    for _ in range(2):
        assert (await rig.ask("DELETE", f"/v1/jobs/{job_id}")).status == 204
    assert (await rig.ask("GET", f"/v1/jobs/{job_id}")).code == "job_expired"
    assert rig.is_quiet


async def test_progress_and_position_are_told(rig: Rig) -> None:
    """A job that waits knows its place, a job that runs knows how far it is."""
    first, second = await _job(rig, STEPS), await _job(rig, NORMAL)

    assert (await rig.ask("GET", f"/v1/jobs/{second}")).json["position"] == 1
    seen = []
    while (job := (await rig.ask("GET", f"/v1/jobs/{first}?wait=5")).json)["state"] != "done":
        seen.append(job["progress"])
    assert seen == sorted(seen)
    assert any(0 < progress < 1 for progress in seen)


async def test_long_poll_answers_as_soon_as_there_is_news(rig: Rig) -> None:
    """Neither at once nor at the end of the wait."""
    job_id = await _job(rig, SLOW)
    await until(lambda: rig.inference._child.run is not None)
    await asyncio.sleep(0.1)

    began = time.monotonic()
    job = (await rig.ask("GET", f"/v1/jobs/{job_id}?wait=30")).json

    assert job["state"] == "done"
    assert 0.2 < time.monotonic() - began < 15


@pytest.mark.parametrize("wait", ["31", "-1", "nan", "inf", "x", ""])
async def test_a_wait_that_makes_no_sense(rig: Rig, wait: str) -> None:
    """0 to 30 seconds."""
    job_id = await _job(rig, NORMAL)

    assert (await rig.ask("GET", f"/v1/jobs/{job_id}?wait={wait}")).code == "bad_parameter"


async def test_the_result_of_an_unfinished_job(rig: Rig) -> None:
    """409, and the job goes on."""
    job_id = await _job(rig, SLOW)

    early = await rig.ask("GET", f"/v1/jobs/{job_id}/result")

    assert (early.status, early.code) == (409, "job_not_finished")
    assert (await rig.finished_job(job_id))["state"] == "done"


async def test_a_failed_job_says_why(rig: Rig) -> None:
    """The error is the one that an exchange would have got."""
    job_id = await _job(rig, NO_MEMORY)

    job = await rig.finished_job(job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "out_of_memory")
    assert (await rig.ask("GET", f"/v1/jobs/{job_id}/result")).code == "job_not_finished"


async def test_deleting_a_running_job_stops_it_within_a_second(rig: Rig) -> None:
    """Even one that computes and does not listen: its process is replaced."""
    job_id = await _job(rig, BUSY)
    await until(lambda: rig.inference._child.run is not None)
    child = rig.child
    await asyncio.sleep(0.2)

    began = time.monotonic()
    assert (await rig.ask("DELETE", f"/v1/jobs/{job_id}")).status == 204

    await until(lambda: not child.is_running() or cpu_seconds(child) == 0)
    assert time.monotonic() - began < 3  # 0.3 s of grace, and a busy machine
    assert (await rig.ask("GET", f"/v1/jobs/{job_id}")).json["state"] == "cancelled"
    assert (await rig.ask("GET", f"/v1/jobs/{job_id}/result")).code == "job_not_finished"
    assert (await rig.colorize(bytes([NORMAL]))).status == 200


async def test_deleting_a_waiting_job_takes_it_out_of_the_queue(rig: Rig) -> None:
    """It is not in the queue any more when the answer to DELETE comes."""
    running_job, waiting = await _job(rig, SLOW), await _job(rig, BUSY)

    await rig.ask("DELETE", f"/v1/jobs/{waiting}")

    assert (await rig.ask("GET", "/v1/health")).json["queue"]["length"] == 0
    assert (await rig.ask("GET", f"/v1/jobs/{waiting}")).json["state"] == "cancelled"
    assert (await rig.finished_job(running_job))["state"] == "done"


async def test_a_job_that_never_was(rig: Rig) -> None:
    """404, for each of its routes."""
    for method, path in (("GET", "x"), ("GET", "x/result"), ("DELETE", "x")):
        reply = await rig.ask(method, f"/v1/jobs/{path}")
        assert (reply.status, reply.code) == (404, "job_unknown")


async def test_results_expire() -> None:
    """After their lifetime, 410, and their memory is given back."""
    async with running(replace(QUICK, result_lifetime_s=0.1)) as rig:
        job_id = await _job(rig, NORMAL)
        await rig.finished_job(job_id)

        await until(lambda: rig.is_quiet and not rig.app_jobs())

        for path in ("", "/result"):
            reply = await rig.ask("GET", f"/v1/jobs/{job_id}{path}")
            assert (reply.status, reply.code) == (410, "job_expired")


async def test_results_hold_a_bounded_amount_of_memory() -> None:
    """The oldest goes first, the newest stays."""
    async with running(replace(QUICK, max_result_bytes=2000)) as rig:
        ids = [await _job(rig, NORMAL) for _ in range(4)]
        for job_id in ids:
            await asyncio.sleep(0)
            while (reply := await rig.ask("GET", f"/v1/jobs/{job_id}")).status == 200:
                if reply.json["state"] == "done":
                    break

        await until(lambda: len(rig.app_jobs()) == 2)

        statuses = [(await rig.ask("GET", f"/v1/jobs/{job_id}/result")).status for job_id in ids]
        assert statuses == [410, 410, 200, 200]


async def test_a_job_that_nobody_asks_about_is_cancelled() -> None:
    """Its client has gone; the processor is for those who are there."""
    async with running(replace(QUICK, abandoned_job_s=0.2)) as rig:
        await _job(rig, BUSY)

        await until(lambda: not rig.scheduler_busy())

        assert rig.is_quiet


async def test_head_neither_fetches_nor_keeps_a_job(rig: Rig) -> None:
    """A result is sent piece by piece and counts as fetched then; a job that is asked about is not abandoned."""
    job_id = await _job(rig, NORMAL)
    await rig.finished_job(job_id)

    for path in ("", "/result"):
        reply = await rig.ask("HEAD", f"/v1/jobs/{job_id}{path}")
        assert (reply.status, reply.headers["Allow"]) == (405, "GET" if path else "DELETE, GET")

    assert rig.app[JOBS].unfetched == 1


async def test_two_clients_share_the_daemon(rig: Rig) -> None:
    """An exchange of one and a job of another, at the same time."""
    job_id = await _job(rig, SLOW, client="photoshop/1")

    reply = await rig.colorize(bytes([NORMAL]), client="gimp/1")

    assert reply.status == 200
    assert (await rig.finished_job(job_id))["state"] == "done"
