"""Line coverage of the modules that read what strangers send, measured in the daemon and in the inference process."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage

PACKAGE = Path(__file__).parents[3] / "server" / "colorize_server"
MODULES = tuple(
    str(PACKAGE / name)
    for name in (
        "daemon/access.py", "daemon/answers.py", "daemon/body.py", "daemon/connections.py", "daemon/failures.py",
        "daemon/handlers.py", "daemon/parameters.py", "inference/task.py", "formats/decode.py",
    )
)  # fmt: skip
"""Wire (all but the first and last steps of a picture) and decode."""

_CONFIGURATION = """\
[run]
parallel = true
data_file = {folder}/data
include = {modules}
patch = subprocess, _exit
sigterm = true
concurrency = thread
"""


@dataclass(frozen=True)
class Measurement:
    """A daemon's coverage.

    Attributes:
        command: starts the daemon.
        environment: for it.
        folder: where data is written.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path

    def report(self) -> dict[str, Any]:
        """Return per cent of lines, in all and by module, once the daemon has ended."""
        collected = coverage.Coverage(config_file=str(self.folder / "rc"))
        collected.combine([str(self.folder)])
        total = collected.report(file=io.StringIO(), ignore_errors=True)
        modules = {}
        for module in MODULES:
            _, statements, _, missing, _ = collected.analysis2(module)
            modules[str(Path(module).relative_to(PACKAGE))] = round(100 * (1 - len(missing) / len(statements)), 1)
        return {"percent": total, "modules": modules}


@contextlib.contextmanager
def measured() -> Iterator[Measurement]:
    """Prepare a measurement."""
    with tempfile.TemporaryDirectory(prefix="colorize-coverage-") as name:
        folder = Path(name)
        modules = "".join(f"\n    {module}" for module in MODULES)
        (folder / "rc").write_text(_CONFIGURATION.format(folder=folder, modules=modules))
        command = (
            sys.executable,
            "-P",
            "-m",
            "coverage",
            "run",
            f"--rcfile={folder / 'rc'}",
            "-m",
            "colorize_server.cli.main",
        )
        yield Measurement(command, {}, folder)
