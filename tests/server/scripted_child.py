"""An inference process whose behaviour the picture's first byte chooses: for crashes, hangs and slowness.

It shares everything with the product's own (channel, shared memory, two threads) but the engine.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from colorize_server.errors import ModelError, PictureError
from colorize_server.inference.child import WorkerRequest, main
from colorize_server.inference.memory import SharedBuffer
from colorize_server.inference.task import Answer, RawPicture, Task, WorkerInfo
from colorize_server.picture.control import Control

NORMAL, SLOW, HANG, HANG_WITH_LOCK, CRASH, KILLED, NO_MEMORY, DEFECT, REFUSED, BUSY, STEPS, EXIT = range(12)
"""What the first byte of a picture asks for."""

STEP_S = 0.02
SLOW_S = 1.0


class ScriptedEngine:
    """Answers grey pixels g with RGB (255 - g, g, 7); alpha is kept, doubt is 9 everywhere."""

    def describe(self) -> WorkerInfo:
        backend = {"active": "scripted", "device": "CPU", "providers": [], "reason": "the tests asked for it"}
        model = {
            "name": "scripted", "version": "1", "sha256": "0" * 64, "multiple_of": 32,
            "sizes": [64, 128], "default_size": 64,
        }  # fmt: skip
        return WorkerInfo(backend=backend, model=model, suggests_colours=True)

    def run(self, task: Task, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Answer, SharedBuffer]:
        self._misbehave(inputs[0].view[0], control)
        raw = task.raw
        assert raw is not None
        if task.places:
            return self._suggest(raw)
        body = bytes(inputs[0].view)
        step = raw.depth // 8
        doubt_bytes = raw.width * raw.height if task.wants_doubt else 0
        buffer = SharedBuffer.create(raw.answer_bytes + doubt_bytes)
        picture = bytearray(raw.answer_bytes)
        grey = body[: raw.picture_bytes][step - 1 :: raw.channels * step]
        pixel = raw.answer_channels * step
        picture[step - 1 :: pixel] = bytes(255 - value for value in grey)
        picture[2 * step - 1 :: pixel] = grey
        picture[3 * step - 1 :: pixel] = bytes([7]) * len(grey)
        if raw.answer_channels == 4:
            for byte in range(step):
                first = (raw.channels - 1) * step + byte
                picture[3 * step + byte :: pixel] = body[: raw.picture_bytes][first :: raw.channels * step]
        buffer.view[: raw.answer_bytes] = picture
        buffer.view[raw.answer_bytes :] = bytes([9]) * doubt_bytes
        answer = Answer(
            width=raw.width, height=raw.height, channels=raw.answer_channels, depth=raw.depth,
            size=task.options.size or 64, picture_bytes=raw.answer_bytes, doubt_bytes=doubt_bytes,
            timings_ms={"network": 1.5, "picture": 2.5},
        )  # fmt: skip
        return answer, buffer

    def _suggest(self, raw: RawPicture) -> tuple[Answer, SharedBuffer]:
        content = b'{"model": "scripted 1", "places": []}'
        buffer = SharedBuffer.create(len(content))
        buffer.view[:] = content
        answer = Answer(
            width=raw.width, height=raw.height, channels=0, depth=0, size=64, picture_bytes=len(content), doubt_bytes=0,
            timings_ms={},
        )  # fmt: skip
        return answer, buffer

    def _misbehave(self, how: int, control: Control) -> None:
        match how:
            case 1:  # SLOW, and lets itself be cancelled
                end = time.monotonic() + SLOW_S
                while time.monotonic() < end:
                    control.check()
                    time.sleep(0.005)
            case 2:  # HANG: native code that does not return and leaves other threads alone
                threading.Event().wait()
            case 3:  # HANG_WITH_LOCK: native code that lets no other thread of its process run
                ctypes.PyDLL(None).sleep(3600)
            case 4:  # CRASH
                ctypes.string_at(0)
            case 5:  # KILLED, as by the kernel when memory runs out
                os.kill(os.getpid(), signal.SIGKILL)
            case 6:
                raise MemoryError
            case 7:
                raise ZeroDivisionError("a defect")
            case 8:
                raise PictureError("The picture is damaged.", "Save it again.")
            case 9:  # BUSY: computes and does not listen
                while True:
                    sum(range(10_000))
            case 10:  # STEPS: reports progress
                for step in range(50):
                    control.report(step / 50)
                    time.sleep(STEP_S)
            case 11:
                os._exit(3)


def open_worker(request: WorkerRequest) -> ScriptedEngine:
    """Open the double; the name of the backend chooses how that goes."""
    match request.backend:
        case "fails":
            raise ModelError("The model /models/base.onnx is damaged.", "Reinstall colorize-server.")
        case "fails-once":
            assert request.model is not None
            if not request.model.exists():
                request.model.touch()
                raise ModelError("The model is damaged.", "Reinstall colorize-server.")
        case "dies":
            os._exit(7)
        case "loads-slowly":
            time.sleep(1.5)
        case "loads-for-ever":
            time.sleep(3600)
        case "defect":
            raise ZeroDivisionError("a defect")
    return ScriptedEngine()


if __name__ == "__main__":
    main(open_worker, sys.argv[1:])
