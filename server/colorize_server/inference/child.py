"""The inference process: opens its worker, then works on one task after the other until the daemon is gone.

Two threads.  The main one computes.  The other reads messages, so that a cancellation or the daemon's end is noticed
while native code runs.
"""

import argparse
import contextlib
import ctypes
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from ..errors import CancelledError, ColorizeError, DeviceLostError, ModelError, OutOfMemoryError
from ..picture.control import Control
from .channel import Channel, Message, Parcel, open_inherited
from .memory import SharedBuffer, give_back_unused
from .task import Task, Worker, WorkerRequest

_LOG = logging.getLogger(__name__)
_PROGRESS_INTERVAL_S: Final = 0.1
_PR_SET_PDEATHSIG: Final = 1
_OOM_SCORE: Final = b"600"


@dataclass(slots=True)
class _Run:
    """A task that was received."""

    id: str
    task: Task
    inputs: list[SharedBuffer]
    control: Control


def main(
    open_worker: Callable[[WorkerRequest], Worker] | None = None, arguments: Sequence[str] | None = None
) -> NoReturn:
    """Run the inference process.

    Args:
        open_worker: opens what does the work; None opens the product's own.
        arguments: command line, None takes the process's own.
    """
    parser = argparse.ArgumentParser(prog="colorize-inference")
    parser.add_argument("--channel", required=True)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--require-gpu", action="store_true")
    parser.add_argument("--model", type=Path, default=None)
    options = parser.parse_args(arguments)
    channel = open_inherited(options.channel)
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the daemon too, which lets us finish
    faulthandler.enable()
    messages = _Messages(channel)
    threading.Thread(target=messages.listen, name="messages", daemon=True).start()
    request = WorkerRequest(options.backend, options.device, options.require_gpu, options.model)
    try:
        worker = _open(open_worker, request)
        info = worker.describe()
        give_back_unused()  # loading needs more than working
    except ColorizeError as error:
        messages.tell({"is": "failed", "error": error.as_dict()})
        os._exit(1)
    messages.tell({"is": "ready", "info": asdict(info)})
    messages.work(worker)


def _open(open_worker: Callable[[WorkerRequest], Worker] | None, request: WorkerRequest) -> Worker:
    """Open the worker; whatever goes wrong is told in words."""
    try:
        if open_worker is not None:
            return open_worker(request)
        # Here, so that messages are read while numpy and the runtime are being imported.
        from .worker import open_worker as open_picture_worker

        return open_picture_worker(request)
    except ColorizeError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError("There is not enough memory to load the model.", "Close other programs.") from error
    except Exception as error:
        _LOG.exception("the worker could not be opened")
        raise ModelError(
            f"The model could not be opened ({type(error).__name__}).",
            "The log holds the details: `colorize-server status` tells where it is.",
        ) from error


class _Messages:
    """The two loops and what they share."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: queue.SimpleQueue[_Run] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current: _Run | None = None
        self._untaken: SharedBuffer | None = None

    def listen(self) -> None:
        """Read messages until the daemon is gone, then end the process at once, whatever it is in the middle of."""
        while (parcel := self._channel.receive()) is not None:
            message = parcel.message
            match message["do"]:
                case "run":
                    self._take(parcel)
                case "cancel":
                    with self._lock:
                        current = self._current
                    if current is not None and current.id == message["id"]:
                        current.control.cancel()
                case "taken":
                    self._close_untaken()
        os._exit(0)

    def _take(self, parcel: Parcel) -> None:
        """Take a task on; from now on it is lost if this process is."""
        run_id = parcel.message["id"]
        self.tell({"is": "taken", "id": run_id})
        try:
            inputs = parcel.open_buffers()
        except OutOfMemoryError as error:
            self.tell({"is": "error", "id": run_id, "error": _described(error)})
            return
        control = Control(self._reporter(run_id))
        run = _Run(run_id, Task.from_members(parcel.message["task"]), inputs, control)
        with self._lock:
            self._current = run
        self._waiting.put(run)

    def tell(self, message: Message, buffers: Sequence[SharedBuffer] = ()) -> None:
        """Send a message to the daemon."""
        with contextlib.suppress(OSError):  # the daemon is gone; the reader of messages ends us
            self._channel.send(message, buffers)

    def work(self, worker: Worker) -> NoReturn:
        """Work on what comes."""
        while True:
            run = self._waiting.get()
            try:
                answer, buffer = worker.run(run.task, run.inputs, run.control)
                self._close_untaken()
                self._untaken = buffer  # until the daemon has opened it: Windows frees it with its last handle
                message: Message = {"is": "done", "id": run.id, "answer": answer.as_members()}
                self._finish(run, message, [buffer])
            except ColorizeError as error:
                self._finish(run, {"is": "error", "id": run.id, "error": _described(error)})
                _end_if_lost(error)
            except MemoryError:
                self._finish(run, {"is": "error", "id": run.id, "error": _described(_no_memory_left())})
            except Exception as exception:  # noqa: BLE001 - told to the client, and the next picture may do
                _LOG.exception("a defect in the picture path")
                self._finish(run, {"is": "error", "id": run.id, "error": _described(_defect(exception))})
            del run
            if self._waiting.empty():
                give_back_unused()

    def _reporter(self, run_id: str) -> Callable[[float], None]:
        """Return what tells the daemon about progress, not too often."""
        last_report = 0.0

        def report(fraction: float) -> None:
            nonlocal last_report
            now = time.monotonic()
            if now - last_report >= _PROGRESS_INTERVAL_S:
                last_report = now
                self.tell({"is": "progress", "id": run_id, "fraction": fraction})

        return report

    def _finish(self, run: _Run, message: Message, buffers: Sequence[SharedBuffer] = ()) -> None:
        with self._lock:
            self._current = None
        for buffer in run.inputs:
            buffer.close()
        self.tell(message, buffers)

    def _close_untaken(self) -> None:
        with self._lock:
            buffer, self._untaken = self._untaken, None
        if buffer is not None:
            buffer.close()


def _end_if_lost(error: ColorizeError) -> None:
    """End this process if its GPU is lost to it: CUDA refuses all further work, and a new process may do better."""
    if isinstance(error, DeviceLostError):
        os._exit(1)


def _no_memory_left() -> OutOfMemoryError:
    return OutOfMemoryError(
        "The picture needs more memory than is left.", "Close other programs, or use a smaller picture."
    )


def _defect(exception: Exception) -> ColorizeError:
    return ColorizeError(
        f"The server made a mistake with this picture ({type(exception).__name__}).",
        "Please report it, with the log's last lines.",
    )


def _described(error: ColorizeError) -> Message:
    cancelled = isinstance(error, CancelledError)
    return {**error.as_dict(), "status": error.status, "retry_after_s": error.retry_after_s, "cancelled": cancelled}


def end_with_parent() -> None:
    """Have the kernel end us with the daemon, even if native code never lets our other thread run; Linux only.

    Also offer ourselves first when memory runs out: the daemon replaces us, and nobody replaces the daemon.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os._exit(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_bytes(_OOM_SCORE)


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger(
        "tifffile"
    ).disabled = True  # the client is told that its file is damaged; nobody else needs to be
    main()
