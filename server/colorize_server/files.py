"""Files that are written whole or not at all, and what to tell where they cannot be written."""

import contextlib
import errno
import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from .errors import OutputError

# Windows has neither the second flag nor links that users may make; the third keeps it from changing ends of lines.
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
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
    """Write a file wholly or not at all; its folder is made.

    Args:
        target: the file.
        content: its bytes, or what writes them to an open file.
        elsewhere: says, after "or", how another place is named.
        announce: called with the SHA-256 of the content, in hexadecimal, before the file has its name.

    Raises:
        OutputError: see `refusal`; what was there before is as it was, and nothing is left beside it.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            if announce is not None:
                file.seek(0)
                announce(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise refusal(target, error, elsewhere) from error


@contextlib.contextmanager
def replacing(target: Path, *, mode: int = 0o666) -> Iterator[io.BufferedRandom]:
    """Open a new file that takes `target`'s place at the end of the block, and is removed if the block fails.

    It lies beside the target until then, under a name that is short enough for every file system and that nobody can
    have put a link in the place of; a link in the target's place is replaced, and what it points to stays as it is.
    The content is on the disk before it has its name.

    Args:
        target: the file; its folder must exist.
        mode: its permissions, from which the process's umask is taken away.

    Raises:
        OSError: the file cannot be made or written.
    """
    temporary = target.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(4)}")
    file = open(os.open(temporary, _NEW, mode), "w+b")  # noqa: SIM115, PTH123 - closed below; a path has no such flags
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, process_id: int | None = None) -> None:
    """Remove from a folder what a process that has ended was writing; None stands for all that have ended."""
    import psutil  # here, because nobody else needs it

    with contextlib.suppress(OSError):
        for path in folder.glob(f"{TEMPORARY_PREFIX}*-*"):
            number = path.name.removeprefix(TEMPORARY_PREFIX).partition("-")[0]
            has_ended = number.isdigit() and not psutil.pid_exists(int(number))
            if number == str(process_id) or (process_id is None and has_ended):
                path.unlink(missing_ok=True)
