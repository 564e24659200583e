"""``colorize-server`` with a wall clock that jumps: SIGUSR1 a day on, SIGUSR2 two days back."""

import signal
import sys
import time

from colorize_server.cli.main import main

_real = time.time
_step_s = [0.0]
time.time = lambda: _real() + _step_s[0]


def _jump(seconds: float) -> None:
    _step_s[0] += seconds


signal.signal(signal.SIGUSR1, lambda *_: _jump(86_400))
signal.signal(signal.SIGUSR2, lambda *_: _jump(-2 * 86_400))

if __name__ == "__main__":
    sys.exit(main())
