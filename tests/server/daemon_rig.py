"""A daemon on a real socket, and a client for it, for the tests of this folder."""

import asyncio
import contextlib
import io
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web
from colorize_server.daemon.app import Listener, create_app
from colorize_server.daemon.keys import INFERENCE, JOBS, MEMORY, SCHEDULER
from colorize_server.daemon.scheduler import Scheduler
from colorize_server.inference.process import InferenceProcess
from colorize_server.settings import Limits, Settings

TOKEN = "0123456789abcdef" * 4
SCRIPTED_CHILD = (sys.executable, str(Path(__file__).with_name("scripted_child.py")))
QUICK = Limits(cancel_grace_s=0.3, restart_pause_s=0.2, stall_s=30, header_timeout_s=5)
RAW = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error."""
        code = self.json["code"]
        assert isinstance(code, str)
        return code


@dataclass
class Rig:
    """A running daemon."""

    app: web.Application
    listener: Listener
    session: aiohttp.ClientSession
    token: str = TOKEN
    shutdowns: list[None] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def inference(self) -> InferenceProcess:
        return self.app[INFERENCE]

    @property
    def scheduler(self) -> Scheduler:
        return self.app[SCHEDULER]

    @property
    def child(self) -> psutil.Process:
        pid = self.inference.pid
        assert pid is not None
        return psutil.Process(pid)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way and no memory is held."""
        jobs = [work for work in self.app[JOBS]._jobs.values() if work.output is not None]
        return self.app[SCHEDULER].is_idle and (bool(jobs) or self.app[MEMORY].held_bytes == 0)

    def app_jobs(self) -> list[str]:
        """Return the ids of the jobs that are kept."""
        return list(self.app[JOBS]._jobs)

    def queue_length(self) -> int:
        """Return how much work waits for its turn."""
        return self.app[SCHEDULER].waiting

    def scheduler_busy(self) -> bool:
        """Whether work waits or runs."""
        return not self.app[SCHEDULER].is_idle

    async def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = TOKEN,
    ) -> Reply:
        """Send a request and read the answer."""
        sent = dict(headers or {})
        if token is not None:
            sent["X-Colorize-Token"] = token
        if isinstance(body, bytes) and len(body) > 1 << 19:
            body = io.BytesIO(body)
        url = f"http://127.0.0.1:{self.port}{target}"
        async with self.session.request(method, url, data=body, headers=sent, allow_redirects=False) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def colorize(
        self,
        grey: bytes,
        *,
        width: int = 16,
        height: int = 16,
        client: str | None = None,
        query: str = "",
        path: str = "colorize",
    ) -> Reply:
        """Send a grey raw picture; a single byte is repeated."""
        picture = grey * (width * height) if len(grey) == 1 else grey
        headers = dict(RAW)
        if client is not None:
            headers["X-Colorize-Client"] = client
        return await self.ask("POST", f"/v1/{path}?width={width}&height={height}&channels=1{query}", picture, headers)

    async def finished_job(self, job_id: str) -> dict[str, Any]:
        """Wait for a job's final state."""
        while True:
            job: dict[str, Any] = (await self.ask("GET", f"/v1/jobs/{job_id}?wait=5")).json
            if job["state"] not in ("queued", "running"):
                return job

    async def raw(self, data: bytes, *, timeout_s: float = 10) -> bytes:
        """Send bytes on a socket of their own and return what comes until it is closed or quiet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            received = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(timeout_s):
                    while chunk := await reader.read(1 << 16):
                        received += chunk
                        if _is_complete(received):
                            break
            return received
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _is_complete(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return False


@contextlib.asynccontextmanager
async def running(
    limits: Limits = QUICK, *, wait_until_ready: bool = True, child: tuple[str, ...] = SCRIPTED_CHILD, **rest: Any
) -> AsyncIterator[Rig]:
    """Run a daemon in this process, on a free port, with the scripted inference process unless told otherwise."""
    settings = replace(Settings(child_command=child, limits=limits), **rest)
    shutdowns: list[None] = []
    app = create_app(settings, lambda: TOKEN, on_shutdown=lambda: shutdowns.append(None))
    listener = Listener(app, limits)
    await listener.open("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
            rig = Rig(app, listener, session, shutdowns=shutdowns)
            if wait_until_ready:
                await rig.inference.ready()
            yield rig
    finally:
        await listener.close()


async def until(condition: Any, timeout_s: float = 10) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no events
            await asyncio.sleep(0.01)


def cpu_seconds(process: psutil.Process) -> float:
    """Return processor time used so far; 0 for a process that is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def segments() -> set[str]:
    """Return the names of shared memory segments on this machine, without those of PyTorch.

    Tests of training may run at the same time, and make and drop theirs as they like; the server never imports torch.
    """
    folder = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    return {name for name in names if not name.startswith("torch_")}
