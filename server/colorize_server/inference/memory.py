"""Memory that the daemon and the inference process share, and that nothing can leave behind.

A named segment (``/dev/shm``) outlives processes that are killed.  These have no name: on POSIX a buffer is
an anonymous file whose descriptor travels through a socket, on Windows a mapping that the system counts by
its open handles.  Either is gone when the last process that holds it is gone, however it ends.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import sys
import tempfile
from typing import Final, Self

from ..errors import OutOfMemoryError, OutputError

_FILL_BYTES: Final = 1 << 20
_malloc_trim: Final = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


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
            raise _in_words(error, n_bytes) from error
        self.view = memoryview(self._map)[:n_bytes]

    @classmethod
    def create(cls, n_bytes: int) -> Self:
        """Make a buffer of zeros; memory is taken as it is written.

        Raises:
            OutOfMemoryError: if the system refuses.
        """
        if sys.platform == "win32":
            return cls(n_bytes, -1, f"colorize-{os.urandom(16).hex()}")
        try:
            handle = _anonymous_file(max(n_bytes, 1))
        except OSError as error:
            raise _in_words(error, n_bytes) from error
        return cls(n_bytes, handle, "")

    @classmethod
    def of(cls, content: bytes | memoryview) -> Self:
        """Make a buffer with a copy of some bytes.

        Raises:
            OutOfMemoryError: if the system refuses.
        """
        buffer = cls.create(len(content))
        buffer.view[:] = content
        return buffer

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
        """Give the memory back, at the latest when the last array that looks at it is gone; may be called twice."""
        self._close_handle()
        with contextlib.suppress(BufferError):  # there is such an array
            self.view.release()
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_handle(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1


def _anonymous_file(n_bytes: int) -> int:
    """Return the descriptor of a file without a name, of a size."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("colorize", os.MFD_CLOEXEC)
        try:
            os.ftruncate(handle, n_bytes)
        except BaseException:
            os.close(handle)
            raise
        return handle
    with tempfile.TemporaryFile(buffering=0) as file:  # in the user's own folder, and nameless from the start
        # Written, not just stretched: a disk that fills up later would end the process that writes to the mapping.
        for start in range(0, n_bytes, _FILL_BYTES):
            file.write(bytes(min(_FILL_BYTES, n_bytes - start)))
        return os.dup(file.fileno())


def _in_words(error: OSError, n_bytes: int) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT) and not hasattr(os, "memfd_create"):
        return OutputError(
            f"There is no space left on the disk for {n_bytes / 1e6:.0f} MB of picture.",
            "Free some space on the disk that holds your temporary files, then try again.",
            retry_after_s=10,
        )
    if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EINVAL):
        return OutOfMemoryError(
            f"There is no memory left for {n_bytes / 1e6:.0f} MB of picture.",
            "Close other programs, or use a smaller picture.",
        )
    return error


def give_back_unused() -> None:
    """Return the free pages of the C heap to the system; where the C library cannot (all but glibc), do nothing.

    glibc keeps what a large picture has once needed, and its heap is scattered after a few hundred pictures of all
    sizes; the artist's other programs want that memory between two presses of the button.  Takes milliseconds.
    """
    if _malloc_trim is not None:
        _malloc_trim(0)
