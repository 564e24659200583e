"""Progress and cancellation of one piece of work (stdlib only)."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from ..errors import CancelledError

_BEAT_S: Final = 1.0


class Control:
    """The handle by which work in progress is watched and stopped.

    The picture path calls `report` and `check` between strips; another thread may call `cancel` at any time.

    Args:
        on_progress: called with a fraction 0..1, on the working thread or on that of `alive`; keep it short.
    """

    def __init__(self, on_progress: Callable[[float], None] | None = None) -> None:
        self._on_progress = on_progress
        self._cancelled = threading.Event()
        self._on_cancel: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ask the work to stop; thread-safe, may be called more than once."""
        with self._lock:
            if self._cancelled.is_set():
                return
            self._cancelled.set()
            callbacks = list(self._on_cancel)
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the work is cancelled (at once if it already is), to stop a native call that blocks."""
        with self._lock:
            if not self._cancelled.is_set():
                self._on_cancel.append(callback)
                return
        callback()

    def check(self) -> None:
        """Raise CancelledError if the work was cancelled."""
        if self._cancelled.is_set():
            raise CancelledError("The work was cancelled.")

    def report(self, fraction: float) -> None:
        """Check for cancellation, then tell how far the work is, 0..1."""
        self.check()
        if self._on_progress is not None:
            self._on_progress(fraction)

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Give a sign of life every second while one long call, such as a decoder's, cannot tell how far it is."""
        if self._on_progress is None:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(self._on_progress, over), name="alive", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @staticmethod
    def _beat(on_progress: Callable[[float], None], over: threading.Event) -> None:
        while not over.wait(_BEAT_S):
            on_progress(0.0)  # which takes back nothing of what was told before
