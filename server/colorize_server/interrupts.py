"""Ctrl+C before there is anything to put away (stdlib only, and little of it: this is imported first).

Python raises KeyboardInterrupt wherever it is: among imports that is a page of traceback, and in native code that is
being loaded it may be an abort.  So a command leaves at once until it has something to finish or to tell.
"""

import os
import signal

STOPPED = 130
"""Exit code of what Ctrl+C ended, as shells have it, so that nothing after ``&&`` starts."""


class _Leave:
    def __init__(self, last_words: str) -> None:
        self._last_words = f"{last_words}\n".encode()

    def __call__(self, _signal: int, _frame: object) -> None:
        try:
            os.write(2, self._last_words)
        finally:  # also where nobody reads what we say
            os._exit(STOPPED)


def leave_at_once(last_words: str) -> None:
    """From now on Ctrl+C ends this process with a line and `STOPPED`; not where whoever started us wants it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Leave(last_words))


def raise_again() -> None:
    """From now on Ctrl+C raises KeyboardInterrupt again, if it was `leave_at_once` that changed it."""
    if isinstance(signal.getsignal(signal.SIGINT), _Leave):
        signal.signal(signal.SIGINT, signal.default_int_handler)
