"""A real daemon of the shipped model for benchmarks, in a private folder, on a free port."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil


@dataclass(frozen=True)
class Daemon:
    """A running daemon."""

    port: int
    token: str
    process: subprocess.Popen[bytes]
    ready_s: float

    def health(self) -> dict[str, Any]:
        """Return what health says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/v1/health")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def colorize(self, body: bytes | memoryview, into: memoryview | None = None, **query: object) -> tuple[bytes, dict]:
        """Send raw pixels; return the answer and its headers.

        `into` receives the answer instead of a new buffer, as a client that knows the size does.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        headers = {"X-Colorize-Token": self.token, "Content-Type": "application/octet-stream"}
        connection.request("POST", f"/v1/colorize?{urlencode(query)}", body, headers)
        response = connection.getresponse()
        if into is None:
            data = response.read()
        else:
            at = 0
            while (got := response.readinto(into[at:])) > 0:
                at += got
            data = b""
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {data[:500]!r}")
        connection.close()
        return data, dict(response.getheaders())

    def processes(self) -> list[psutil.Process]:
        """Return the daemon's process and all below it."""
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def pss(self) -> int:
        """Return the bytes that all its processes use together, shared memory counted once."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total


@contextlib.contextmanager
def running_daemon(*arguments: str) -> Iterator[Daemon]:
    """Start a daemon with default settings, wait until it is ready, end it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COLORIZE_STATE_DIR": folder}
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "colorize_server.cli.main", "start", "--port", "0", *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            state = _wait_for_state(Path(folder) / "state.json", process)
            daemon = Daemon(state["port"], state["token"], process, 0.0)
            while not daemon.health()["ready"]:
                if process.poll() is not None:
                    raise RuntimeError("the daemon ended while it started")
                time.sleep(0.01)
            yield Daemon(state["port"], state["token"], process, time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for_state(path: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            state: dict[str, Any] = json.loads(path.read_text())
            return state
        time.sleep(0.005)
    raise RuntimeError("the daemon ended before it listened")
