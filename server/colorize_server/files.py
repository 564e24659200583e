"""Files that are written whole or not at all, and what to tell where they cannot be written."""

import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from .errors import OutputError

TEMPORARY_PREFIX: Final = ".colorize-"
"""How the names of files begin that are being written; the id of the process that writes them follows."""


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


def write_whole(
    target: Path,
    content: bytes | Callable[[BinaryIO], None],
    elsewhere: str,
    *,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Write a file under another name beside it, then rename it.

    Args:
        target: the file.
        content: its bytes, or what writes them to an open file.
        elsewhere: says, after "or", how another place is named.
        announce: called with the SHA-256 of the content, in hexadecimal, when all that is left is to rename it.

    Raises:
        OutputError: see `refusal`; what was there before is as it was, and nothing is left beside it.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY_PREFIX}{os.getpid()}-", dir=target.parent)
        with os.fdopen(handle, "w+b") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
            if announce is not None:
                file.seek(0)
                announce(hashlib.file_digest(file, "sha256").hexdigest())
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


def remove_leftovers(folder: Path, process_id: int | None = None) -> None:
    """Remove from a folder what a process that has ended was writing; None stands for all that have ended."""
    import psutil  # here, because nobody else needs it

    with contextlib.suppress(OSError):
        for path in folder.glob(f"{TEMPORARY_PREFIX}*-*"):
            number = path.name.removeprefix(TEMPORARY_PREFIX).partition("-")[0]
            has_ended = number.isdigit() and not psutil.pid_exists(int(number))
            if number == str(process_id) or (process_id is None and has_ended):
                path.unlink(missing_ok=True)
