"""Messages between the daemon and the inference process: JSON, its length before it, shared buffers beside it.

Never pickle: the inference process is the one that decodes strangers' pictures, and what comes out of it is data.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final, Protocol

from .memory import SharedBuffer

Message = dict[str, Any]
_LENGTH: Final = struct.Struct("<I")
_MAX_MESSAGE_BYTES: Final = 1 << 20
_MAX_BUFFERS: Final = 8
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # macOS lacks it; the flag is then set after the fact


class Parcel:
    """A message that was received, and the buffers that came with it.

    Attributes:
        message: what was said.
    """

    def __init__(self, content: bytes, handles: list[int]) -> None:
        self.message: Message = json.loads(content)
        self._described = self.message.pop("buffers")
        self._handles = handles or [-1] * len(self._described)

    def open_buffers(self) -> list[SharedBuffer]:
        """Open the buffers, which are then the caller's to close.

        Raises:
            OutOfMemoryError: if there are no addresses left for them; none stays open then.
        """
        buffers: list[SharedBuffer] = []
        handles, self._handles = self._handles, []
        try:
            for entry, handle in zip(self._described, handles, strict=True):
                buffers.append(SharedBuffer.attach(entry["bytes"], handle, entry["name"]))
        except BaseException:
            for buffer in buffers:
                buffer.close()
            for handle in handles[len(buffers) + 1 :]:  # attach has closed the one that it failed with
                os.close(handle)
            raise
        return buffers

    def drop(self) -> None:
        """Let go of buffers that nobody wants."""
        for handle in self._handles:
            if handle >= 0:
                os.close(handle)
        self._handles = []


class Channel(Protocol):
    """One end; a thread may send while another receives."""

    def send(self, message: Message, buffers: Sequence[SharedBuffer] = ()) -> None:
        """Send a message and access to buffers, which stay the sender's to close.

        Raises:
            OSError: if the other end is gone.
        """

    def receive(self) -> Parcel | None:
        """Wait for the next message; None when the other end is gone."""

    def close(self) -> None:
        """Close this end and wake who waits on it."""


def _encoded(message: Message, buffers: Sequence[SharedBuffer]) -> bytes:
    described = [{"bytes": buffer.n_bytes, "name": buffer.name} for buffer in buffers]
    content = json.dumps({**message, "buffers": described}).encode()
    return _LENGTH.pack(len(content)) + content


class SocketChannel:
    """A Unix socket; descriptors of buffers travel beside the bytes."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._send_lock = threading.Lock()

    def send(self, message: Message, buffers: Sequence[SharedBuffer] = ()) -> None:
        """See `Channel.send`."""
        data = _encoded(message, buffers)
        with self._send_lock:
            handles = [buffer.handle for buffer in buffers]
            sent = socket.send_fds(self._socket, [data], handles) if handles else 0
            if sent < len(data):
                self._socket.sendall(data[sent:])

    def receive(self) -> Parcel | None:
        """See `Channel.receive`."""
        handles: list[int] = []
        header = self._receive_exactly(_LENGTH.size, handles)
        if header is None:
            return None
        (n_bytes,) = _LENGTH.unpack(header)
        content = self._receive_exactly(n_bytes, handles) if n_bytes <= _MAX_MESSAGE_BYTES else None
        if content is None:
            for handle in handles:
                os.close(handle)
            return None
        return Parcel(content, handles)

    def _receive_exactly(self, n_bytes: int, handles: list[int]) -> bytes | None:
        received = bytearray()
        while len(received) < n_bytes:
            try:
                data, new_handles, _, _ = socket.recv_fds(self._socket, n_bytes - len(received), _MAX_BUFFERS, _CLOEXEC)
            except OSError:
                return None
            for handle in new_handles:
                os.set_inheritable(handle, False)
            handles.extend(new_handles)
            if not data:
                return None
            received += data
        return bytes(received)

    def close(self) -> None:
        """See `Channel.close`."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class PipeChannel:
    """A pair of pipes, for Windows; buffers travel by the names of their mappings."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._reader = os.fdopen(read_descriptor, "rb", buffering=0)
        self._writer = os.fdopen(write_descriptor, "wb", buffering=0)
        self._send_lock = threading.Lock()

    def send(self, message: Message, buffers: Sequence[SharedBuffer] = ()) -> None:
        """See `Channel.send`."""
        data = memoryview(_encoded(message, buffers))
        with self._send_lock:
            while data:
                data = data[self._writer.write(data) or 0 :]

    def receive(self) -> Parcel | None:
        """See `Channel.receive`."""
        header = self._receive_exactly(_LENGTH.size)
        if header is None:
            return None
        (n_bytes,) = _LENGTH.unpack(header)
        content = self._receive_exactly(n_bytes) if n_bytes <= _MAX_MESSAGE_BYTES else None
        return None if content is None else Parcel(content, [])

    def _receive_exactly(self, n_bytes: int) -> bytes | None:
        received = bytearray()
        while len(received) < n_bytes:
            try:
                data = self._reader.read(n_bytes - len(received))
            except OSError:
                return None
            if not data:
                return None
            received += data
        return bytes(received)

    def close(self) -> None:
        """See `Channel.close`."""
        with contextlib.suppress(OSError):
            self._writer.close()
        with contextlib.suppress(OSError):
            self._reader.close()


def start_process(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start a program that talks to us through a channel, which it opens with `open_inherited`.

    What it prints, native code included, comes through its ``stderr``.
    The process ends with us: it reads our end of the channel, which the system closes whatever becomes of us.
    """
    if sys.platform == "win32":
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--channel", "stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=subprocess.CREATE_NO_WINDOW,
        )
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert process.stdout is not None  # noqa: S101
        with process.stdin as stdin, process.stdout as stdout:
            return process, PipeChannel(os.dup(stdout.fileno()), os.dup(stdin.fileno()))
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--channel", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            process_group=0,  # Ctrl+C in a terminal is for the daemon, which lets it finish
        )
    return process, SocketChannel(ours)


def open_inherited(argument: str) -> Channel:
    """Open the end that `start_process` gave us.

    Args:
        argument: what followed ``--channel``.
    """
    if argument == "stdio":
        channel = PipeChannel(os.dup(0), os.dup(1))
        os.dup2(2, 1)  # what native code prints must not land among the messages
        return channel
    end = socket.socket(fileno=int(argument))
    end.set_inheritable(False)
    return SocketChannel(end)
