"""Memory that the daemon and the inference process share, and that nothing can leave behind.

A named segment (``/dev/shm``) outlives processes that are killed.  These have no name: on POSIX a buffer is
an anonymous file whose descriptor travels through a socket, on Windows a mapping that the system counts by
its open handles.  Either is gone when the last process that holds it is gone, however it ends.
"""

import contextlib
import errno
import mmap
import os
import secrets
import sys
import tempfile
from typing import Self

from ..errors import OutOfMemoryError


class SharedBuffer:
    """A block of shared memory; `create` makes one, `attach` opens what another process made.

    Attributes:
        n_bytes: its size.
        handle: file descriptor (POSIX), to be sent to the other process; -1 on Windows.
        name: name of the mapping (Windows), to be sent to the other process; empty on POSIX.
        view: its bytes, writable.
    """

    def __init__(self, n_bytes: int, handle: int, name: str) -> None:
        self.n_bytes = n_bytes
        self.handle = handle
        self.name = name
        mapped_bytes = max(n_bytes, 1)  # an empty mapping is refused everywhere
        try:
            if sys.platform == "win32":
                self._map = mmap.mmap(-1, mapped_bytes, tagname=name)
            else:
                self._map = mmap.mmap(handle, mapped_bytes)
        except OSError as error:
            self._close_handle()
            raise _as_out_of_memory(error, n_bytes) from error
        self.view = memoryview(self._map)[:n_bytes]

    @classmethod
    def create(cls, n_bytes: int) -> Self:
        """Make a buffer of zeros; memory is taken as it is written.

        Raises:
            OutOfMemoryError: if the system refuses.
        """
        if sys.platform == "win32":
            return cls(n_bytes, -1, f"colorize-{secrets.token_hex(16)}")
        handle = -1
        try:
            handle = _anonymous_file()
            os.ftruncate(handle, max(n_bytes, 1))
        except OSError as error:
            if handle >= 0:
                os.close(handle)
            raise _as_out_of_memory(error, n_bytes) from error
        return cls(n_bytes, handle, "")

    @classmethod
    def attach(cls, n_bytes: int, handle: int, name: str) -> Self:
        """Open a buffer that the other process made; takes `handle` over."""
        return cls(n_bytes, handle, name)

    def shorten(self, n_bytes: int) -> None:
        """Count only the first `n_bytes` as content."""
        view, self.view = self.view, self.view[:n_bytes]
        view.release()
        self.n_bytes = n_bytes

    def close(self) -> None:
        """Give the memory back; may be called more than once."""
        self._close_handle()
        self.view.release()
        with contextlib.suppress(BufferError):  # an array still looks at it: the map goes when that array goes
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_handle(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def _anonymous_file() -> int:
    if sys.platform == "linux":
        return os.memfd_create("colorize", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:  # has no name from the start, and lies in the user's own folder
            return os.dup(file.fileno())


def _as_out_of_memory(error: OSError, n_bytes: int) -> Exception:
    if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EINVAL):
        return OutOfMemoryError(
            f"There is no memory left for {n_bytes / 1e6:.0f} MB of picture.",
            "Close other programs, or use a smaller picture.",
        )
    return error
