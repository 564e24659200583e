"""Work on another thread while GIMP's progress bar moves.

The thread may do anything but call GIMP: every Gimp, Gegl and Gtk call stays on the main thread.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from gi.repository import Gimp

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PULSE_S = 0.1


class Task(Generic[T]):
    """A function that runs on its own thread from the moment the task is made.

    Args:
        function: called once with `tell`, by which it may name what it is doing.

    Attributes:
        text: what it is doing, for the progress bar.
    """

    def __init__(self, function: Callable[[Callable[[str], None]], T]) -> None:
        self.text = ""
        self._result: T
        self._error: BaseException | None = None
        # A daemon thread: GIMP ends the plug-in by killing it, and a hung server must not keep it alive.
        self._thread = threading.Thread(target=self._work, args=(function,), daemon=True)
        self._thread.start()

    def _work(self, function: Callable[[Callable[[str], None]], T]) -> None:
        try:
            self._result = function(self._tell)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread by result()
            self._error = error

    def _tell(self, text: str) -> None:
        self.text = text

    @property
    def is_done(self) -> bool:
        """Whether the function has returned or raised."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """Return what the function returned, or raise what it raised; waits for it."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def result_with_progress(self) -> T:
        """Like `result`, moving GIMP's progress bar meanwhile; main thread only."""
        shown = ""
        while not self.is_done:
            if self.text != shown:
                shown = self.text
                Gimp.progress_set_text(shown)
            Gimp.progress_pulse()
            self._thread.join(PULSE_S)
        return self.result()
