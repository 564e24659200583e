"""Files that are written whole or not at all, and what to tell where they cannot be written."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from .errors import OutputError


def is_full(error: OSError) -> bool:
    """Whether a disk, or what its user may use of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def refusal(file: Path, error: OSError, elsewhere: str) -> OutputError:
    """Return what to tell when a file cannot be written; `elsewhere` says, after "or", how another place is named."""
    if is_full(error):
        message = f"There is no room left on the disk of {file.parent}: {file.name} was not written."
        return OutputError(message, f"Free some space there, or {elsewhere}.")
    if file.is_dir():
        message = f"{file} is a folder, where a file should be."
        return OutputError(message, f"Remove it, or {elsewhere}.", code="not_writable")
    message = f"{file} cannot be written ({error.strerror or error})."
    return OutputError(message, f"Make {file.parent} writable, or {elsewhere}.", code="not_writable")


def write_whole(target: Path, data: bytes, elsewhere: str) -> None:
    """Write a file under another name beside it, then rename it.

    Raises:
        OutputError: see `refusal`; what was there before is as it was, and nothing is left beside it.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".", dir=target.parent)  # no longer than the name it gets
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(target)
    except OSError as error:
        raise refusal(target, error, elsewhere) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
