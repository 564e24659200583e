"""``colorize-server`` with the scripted inference process, and with another version if told so, for lifecycle tests."""

import os
import sys
from dataclasses import replace

import colorize_server
from colorize_server.settings import Limits

if version := os.environ.get("TEST_VERSION"):
    colorize_server.__version__ = version

from colorize_server.cli import main as serve
from colorize_server.cli import start
from colorize_server.daemon import run
from daemon_rig import SCRIPTED_CHILD

_settings_from = start.settings_from


def _with_scripted_child(args):  # type: ignore[no-untyped-def]
    limits = Limits(drain_s=float(os.environ.get("TEST_DRAIN_S", "60")))
    return replace(_settings_from(args), child_command=SCRIPTED_CHILD, limits=limits)


start.settings_from = _with_scripted_child
start.BACKEND_NAMES = (*start.BACKEND_NAMES, "fails")  # the scripted process knows this one too
run._FETCH_GRACE_S = float(os.environ.get("TEST_FETCH_GRACE_S", run._FETCH_GRACE_S))

if __name__ == "__main__":
    sys.exit(serve.main())
