"""Nothing is reported to anybody: switches off what libraries send home by default.

Each switch works only before its library is imported, so the package itself calls `stop_reports` before anything else
of it is imported.  Every way in goes through there: server, command lines, `trt-build`, training.

What was looked at, and at which release, is written down by upper bounds in pyproject.toml: a release that nobody has
looked at is not installed.
"""

import os
import sys
from typing import Final

ENVIRONMENT: Final = {
    # ONNX Runtime (1.32): queues events in ~/.cache/Microsoft and looks up its collector.  Its Python call
    # `disable_telemetry_events` comes too late, because importing it has already made the queue.
    "ORT_DISABLE_TELEMETRY": "1",
    # Ray (2.60): sends a report from the head of a cluster.
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables that switch reports off; processes that we start inherit them."""

BLOCKED_MODULES: Final = ("openvino_telemetry",)
"""Modules that exist only to send reports.  Their users do without: OpenVINO (2026.4) sends an event when imported."""


def stop_reports() -> None:
    """Switch reports off in this process and in those that it starts; a user's own setting does not switch them on."""
    os.environ.update(ENVIRONMENT)
    for name in BLOCKED_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's documented way to make an import fail
