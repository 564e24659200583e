"""The daemon under test: the real command line, shipped model, default settings, a folder of its own, a free port."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from colorize_server.installation.probe import find_daemon
from colorize_server.installation.state import StateFolder

SERVER = (sys.executable, "-P", "-m", "colorize_server.cli.main")


@dataclass(frozen=True)
class Answer:
    """One answer, and how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    elapsed_s: float

    @property
    def code(self) -> str:
        """The code of an error, or an empty string."""
        if self.headers.get("content-type") != "application/json":
            return ""
        return str(json.loads(self.body).get("code", ""))


class Target:
    """A running daemon.

    Args:
        folder: its private folder.
        words: arguments of `start` beside the port.
        server: program and arguments that start it.
        environment: added to our own.
    """

    def __init__(
        self,
        folder: Path,
        words: Sequence[str] = (),
        server: Sequence[str] = SERVER,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = StateFolder(folder)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the daemon
        self.process = subprocess.Popen(
            # Ends by itself if we are killed; nothing here idles for half an hour.
            [*server, "start", "--port", str(free_port()), "--idle-exit", "30", *words],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "COLORIZE_STATE_DIR": str(folder), **(environment or {})},
        )
        eventually(lambda: self.process.poll() is not None or self._is_up(), 120)
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon did not start: {self.log()}")
        state = self.folder.load()
        assert state is not None
        self.port, self.token = state.port, state.token

    def _is_up(self) -> bool:
        running = find_daemon(self.folder)
        return running is not None and running[1].health["state"] in ("ready", "failed")

    def log(self) -> str:
        """Return what it has printed."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    @property
    def child(self) -> psutil.Process:
        """The inference process."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def ask(
        self, method: str, target: str, body: bytes | None = None, *, timeout_s: float = 300, **headers: str
    ) -> Answer:
        """Send a request with the token; underscores in header names stand for hyphens."""
        sent = {"X-Colorize-Token": self.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        began = time.monotonic()
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content, time.monotonic() - began)

    def colorize(self, grey: bytes, width: int, height: int, **rest: Any) -> Answer:
        """Colorize a grey raw picture."""
        target = f"/v1/colorize?width={width}&height={height}&channels=1"
        return self.ask("POST", target, grey, Content_Type="application/octet-stream", **rest)

    def health(self) -> dict[str, Any]:
        """Return what the daemon says of itself."""
        members: dict[str, Any] = json.loads(self.ask("GET", "/v1/health").body)
        return members

    def pss_bytes(self) -> int:
        """Return the memory of daemon and inference process together, shared pages counted once."""
        process = psutil.Process(self.process.pid)
        total = 0
        for one in (process, *process.children()):
            with contextlib.suppress(psutil.Error):
                total += one.memory_full_info().pss
        return total

    def close(self) -> None:
        """End it gently, then at once."""
        self.process.terminate()
        try:
            self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


@contextlib.contextmanager
def running(
    words: Sequence[str] = (), server: Sequence[str] = SERVER, environment: dict[str, str] | None = None
) -> Iterator[Target]:
    """Run a daemon in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="colorize-soak-"))
    try:
        target = Target(folder / "state", words, server, environment)
        try:
            yield target
        finally:
            target.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def eventually(condition: Callable[[], Any], timeout_s: float) -> bool:
    """Wait until `condition()` holds; False if it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def exchange(port: int, data: bytes, timeout_s: float, *, close_early: bool = False) -> bytes | None:
    """Send bytes on a connection of their own.

    Args:
        port: where to.
        data: what to send.
        timeout_s: how long to wait for the answer.
        close_early: hang up instead of waiting for an answer that cannot come.

    Returns:
        The answer, empty if the connection was closed without one, None if nothing came in time.
    """
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(data)
            if close_early:
                return b""
            end = time.monotonic() + timeout_s
            has_body = not data.startswith(b"HEAD ")
            while not is_complete(received, has_body=has_body):
                connection.settimeout(max(0.01, end - time.monotonic()))
                chunk = connection.recv(1 << 16)
                if not chunk:
                    break
                received += chunk
    except TimeoutError:
        return None
    except ConnectionError:
        pass
    return received


def is_complete(received: bytes, *, has_body: bool = True) -> bool:
    """Whether an answer has all its bytes."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found or not has_body:
        return bool(found)
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return head.startswith((b"HTTP/1.1 204", b"HTTP/1.0 204"))
