"""Memory without a name that the daemon and the inference process share."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from colorize_server.errors import OutOfMemoryError, OutputError
from colorize_server.inference.memory import SharedBuffer
from daemon_rig import segments


def test_shared_memory_has_no_name_and_leaves_nothing() -> None:
    """Nothing appears among the named segments, and what one side writes the other reads."""
    before = segments()
    with SharedBuffer.create(5) as ours:
        ours.view[:] = b"hello"
        with SharedBuffer.attach(5, os.dup(ours.handle), ours.name) as theirs:
            assert bytes(theirs.view) == b"hello"
            theirs.view[:1] = b"j"
        assert bytes(ours.view) == b"jello"
        after = segments()
    assert after == before


def test_shared_memory_where_there_are_no_anonymous_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """macOS: a temporary file that has no name."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with SharedBuffer.create(3_000_000) as buffer:
        buffer.view[-3:] = b"end"
        assert bytes(buffer.view[:2]) == b"\0\0"
        assert list(tmp_path.iterdir()) == []


def test_a_full_disk_where_there_are_no_anonymous_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in words, not a crash when the memory is written to."""

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.TemporaryFile", full)

    with pytest.raises(OutputError) as caught:
        SharedBuffer.create(10)
    assert caught.value.code == "disk_full"


def test_closing_a_buffer_waits_for_the_arrays_on_it() -> None:
    """A thread that is still at work on a cancelled picture must not find its memory gone."""
    from colorize_server.inference.worker import _array

    buffer = SharedBuffer.create(4 << 20)
    pixels = _array(buffer, np.dtype("u1"), 0, (1 << 10, 1 << 10, 4))
    pixels[...] = 7

    buffer.close()

    assert pixels.flags.writeable
    pixels[0] = 8
    assert int(pixels[-1].sum()) == 7 * 4096


def test_memory_that_the_system_refuses() -> None:
    """More than there are addresses."""
    with pytest.raises(OutOfMemoryError):
        SharedBuffer.create(1 << 62)
