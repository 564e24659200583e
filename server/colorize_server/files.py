"""Files that are written whole or not at all, and what to tell where they cannot be written."""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from .errors import OutputError

# Windows has neither the second flag nor links that users may make; the third keeps it from changing ends of lines.
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


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
    target: Path, content: bytes | Callable[[BinaryIO], None], elsewhere: str = "choose another folder with -o"
) -> None:
    """Write a file wholly or not at all; its folder is made.

    Args:
        target: the file.
        content: its bytes, or what writes them to an open file.
        elsewhere: see `refusal`.

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
    except OSError as error:
        raise refusal(target, error, elsewhere) from error


@contextlib.contextmanager
def replacing(target: Path, *, mode: int = 0o666, prefix: str = ".") -> Iterator[BinaryIO]:
    """Open a new file that takes `target`'s place at the end of the block, and is removed if the block fails.

    It lies beside the target until then, under a name that is short enough for every file system and that nobody can
    have put a link in the place of; a link in the target's place is replaced, and what it points to stays as it is.
    The content is on the disk before it has its name.

    Args:
        target: the file; its folder must exist.
        mode: its permissions, from which the process's umask is taken away.
        prefix: of the name until then.

    Raises:
        OSError: the file cannot be made or written.
    """
    temporary = target.with_name(f"{prefix}{secrets.token_hex(4)}")
    file = open(os.open(temporary, _NEW, mode), "wb")  # noqa: SIM115, PTH123 - closed below; a path has no such flags
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
