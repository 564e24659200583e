"""The real server in a process of its own, with its own state folder."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
SHIPPED_MODEL = REPOSITORY / "server" / "colorize_server" / "models" / "colorize-base.onnx"
START_TIMEOUT_S = 120


class Daemon:
    """``colorize-server start`` on a free port.

    Args:
        folder: for its state.
        model: another model than the shipped one.
    """

    def __init__(self, folder: Path, model: Path | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.state_file = folder / "state.json"
        argv = [sys.executable, "-P", "-m", "colorize_server.cli.main", "start", "--port", "0"]
        with (folder / "output.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*argv, *(["--model", str(model)] if model else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "COLORIZE_STATE_DIR": str(folder)},
                start_new_session=True,
            )
        end = time.monotonic() + START_TIMEOUT_S
        while not (self.state_file.exists() and self.health()["state"] != "starting"):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the server did not start: {(folder / 'output.log').read_text()}")
            time.sleep(0.1)
        assert self.health()["ready"], self.health()

    @property
    def state(self) -> dict[str, object]:
        """What the server wrote for its clients."""
        return json.loads(self.state_file.read_text())

    def health(self) -> dict[str, object]:
        """What the server says of itself; an empty state while it does not listen yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.state['port']}/v1/health", timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return {"state": "starting"}

    @property
    def running(self) -> int:
        """Number of requests that are being worked on."""
        return self.health()["queue"]["running"]

    def ask(self, query: str, body: bytes) -> bytes:
        """POST a raw picture; returns the raw answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.state['port']}/v1/colorize?{query}",
            body,
            {"X-Colorize-Token": self.state["token"], "Content-Type": "application/octet-stream"},
        )
        with urllib.request.urlopen(request, timeout=180) as answer:  # noqa: S310 - the loopback
            return answer.read()

    def kill(self) -> None:
        """End it and its inference process as the out-of-memory killer would: without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
