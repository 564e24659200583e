"""A worker that does what real ones do when they are struck: photographs of certain names end, or halt, its process."""

import os
import signal
import time
from pathlib import Path

from colorize_server.archive import one_file, worker

_read = one_file.LocalFiles.read


def read(files: one_file.LocalFiles, name: str) -> bytes:
    path = Path(name)
    if path.name.startswith("poison"):  # as a fault in native code
        os.kill(os.getpid(), signal.SIGKILL)
    mark = path.with_suffix(".struck")
    if path.name.startswith("once") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if path.name.startswith("slow"):
        path.with_suffix(".begun").touch()
        time.sleep(600)
    return _read(files, name)


_write = one_file.LocalFiles.write


def write(files: one_file.LocalFiles, name: str, content: one_file.Content, *announce: object) -> None:
    _write(files, name, content, *announce)  # type: ignore[arg-type]
    if Path(name).name.startswith("late"):
        os.kill(os.getpid(), signal.SIGKILL)


one_file.LocalFiles.write = write  # type: ignore[method-assign]
one_file.LocalFiles.read = read  # type: ignore[method-assign]
worker.main()
