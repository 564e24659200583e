"""A worker of a batch: a process that colours one file after the other, as its parent tells it.

Two threads.  The main one computes.  The other reads messages, so that the parent's end, or Ctrl+C, is noticed while
native code runs.  Messages (`inference.channel`), from the parent: ``colour`` (a task), ``write`` (the journal has the
entry), ``stop``, ``computed`` (see `shared_card`).  From here: ``loading``, ``loaded``, ``writing`` and ``entry`` (with
the entry's members), ``unusable`` (nothing can be coloured at all), ``run`` (see `shared_card`).
"""

import argparse
import faulthandler
import os
import queue
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from ..errors import CancelledError, ColorizeError
from ..inference.channel import Channel, Message, open_inherited
from ..inference.child import end_with_parent
from ..inference.memory import give_back_unused
from ..model import load_model
from ..picture.options import Options
from .bar import Stages
from .entry import Entry
from .one_file import colour_file
from .painter import Painter, open_painter
from .plan import BatchOptions
from .task import Rules, Task


def rules_as_members(rules: Rules) -> dict[str, Any]:
    """Return the rules as members of a message; what goes with a single photograph stands in its task."""
    members = asdict(rules)
    members["batch"] |= {"hints": None, "doubt": None}
    return members


def _rules_from(members: dict[str, Any]) -> Rules:
    batch = members["batch"]
    options = Options.from_members(batch["options"])
    return Rules(**{**members, "batch": BatchOptions(**{**batch, "options": options})})


class _Worker:
    """The two threads and what they share."""

    def __init__(self, channel: Channel, model: Path, backend: str, threads: int) -> None:
        self._channel = channel
        self._model, self._backend, self._threads = model, backend, threads
        self._painter: Painter | None = None
        self._tasks: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._may_write = threading.Event()
        self._stages = Stages()
        self._is_stopped = False

    def listen(self) -> NoReturn:
        """Read messages until the parent is gone, then end at once, whatever is under way."""
        while (parcel := self._channel.receive()) is not None:
            match parcel.message["do"]:
                case "colour":
                    self._tasks.put(parcel.message)
                case "write":
                    self._may_write.set()
                case "stop":
                    self._is_stopped = True
                    self._stages.cancel()
        os._exit(0)

    def work(self) -> None:
        """Colour what comes, until the parent is gone."""
        while True:
            message = self._tasks.get()
            self._stages = Stages()
            if self._is_stopped:
                self._stages.cancel()
            try:
                entry = colour_file(
                    Task(**message["task"]),
                    _rules_from(message["rules"]),
                    self._open,
                    stages=self._stages,
                    announce=self._announce,
                )
            except CancelledError:
                self._channel.send({"is": "cancelled"})
                continue
            except ColorizeError as error:
                self._channel.send({"is": "unusable", "error": error.as_dict()})
                continue
            self._channel.send({"is": "entry", "entry": entry.as_members()})
            if self._tasks.empty():
                give_back_unused()

    def _open(self) -> Painter:
        """Load the model before the first photograph that needs it."""
        if self._painter is None:
            self._channel.send({"is": "loading"})
            self._painter = open_painter(load_model(self._model), self._backend, self._threads)
            self._channel.send({"is": "loaded", "made_by": self._painter.made_by})
        return self._painter

    def _announce(self, entry: Entry) -> None:
        """Have the journal know of the result before it is written."""
        self._may_write.clear()
        self._channel.send({"is": "writing", "entry": entry.as_members()})
        self._may_write.wait()  # the parent's end ends this process


def main() -> None:
    """Run a worker."""
    parser = argparse.ArgumentParser(prog="colorize-worker")
    parser.add_argument("--channel", required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    channel = open_inherited(options.channel)
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the parent too, which lets us finish
    faulthandler.enable()
    worker = _Worker(channel, options.model, options.backend, options.threads)
    threading.Thread(target=worker.listen, name="messages", daemon=True).start()
    worker.work()


if __name__ == "__main__":
    main()
