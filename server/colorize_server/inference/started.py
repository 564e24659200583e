"""An inference process that was started.

Apart from the rest of the daemon's side, because nothing slow is imported here: at a start the process is to
load its model while the daemon still imports what it needs.
"""

import logging
import subprocess
import threading
from typing import Final

from ..settings import Settings
from .channel import Channel, start_process

_OUTPUT_LOG = logging.getLogger(f"{__name__}.output")
_MAX_LINE_BYTES: Final = 400
_END_TIMEOUT_S: Final = 1.0


class StartedProcess:
    """An inference process that was started; asyncio is not needed yet, so that it can load while we import."""

    def __init__(self, settings: Settings) -> None:
        command = [*settings.child_command, "--backend", settings.backend, "--device", str(settings.device)]
        if settings.require_gpu:
            command.append("--require-gpu")
        if settings.model is not None:
            command += ["--model", str(settings.model)]
        self.process: subprocess.Popen[bytes]
        self.channel: Channel
        self.process, self.channel = start_process(command)
        threading.Thread(target=self._log_output, name="inference-output", daemon=True).start()

    def _log_output(self) -> None:
        """Log what it prints: our log is kept short, and decoders have much to say about damaged pictures."""
        assert self.process.stderr is not None  # noqa: S101 - start_process asks for it
        with self.process.stderr as output:
            while line := output.readline(_MAX_LINE_BYTES):
                _OUTPUT_LOG.info("%s", line.decode("utf-8", "replace").rstrip())

    def end(self) -> None:
        """Let it end, and end it if it does not; returns when it has ended."""
        self.channel.close()  # at which it ends by itself, unless native code lets it not
        self.reap()

    def reap(self) -> None:
        """Wait until it has ended, but not for long."""
        try:
            self.process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
