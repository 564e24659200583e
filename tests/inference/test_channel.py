"""Messages and memory between the daemon and the inference process."""

import contextlib
import os
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from colorize_server.inference.channel import Channel, PipeChannel, SocketChannel
from colorize_server.inference.memory import SharedBuffer


@pytest.fixture(params=["socket", "pipes"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[Channel, Channel]]:
    """Both ends of each kind of channel."""
    if request.param == "socket":
        ours, theirs = socket.socketpair()
        pair: tuple[Channel, Channel] = (SocketChannel(ours), SocketChannel(theirs))
    else:
        (down_read, down_write), (up_read, up_write) = os.pipe(), os.pipe()
        pair = (PipeChannel(up_read, down_write), PipeChannel(down_read, up_write))
    yield pair
    for end in pair:
        end.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Channel, Channel]) -> None:
    """Both ways, whatever is in them."""
    messages = [{"do": "run", "n": n, "text": "ü\n" * n} for n in range(5)]
    for sender, receiver in (ends, ends[::-1]):
        for message in messages:
            sender.send(message)
        for message in messages:
            parcel = receiver.receive()
            assert parcel is not None
            assert parcel.message == message


def test_the_end_of_the_other_side_is_noticed(ends: tuple[Channel, Channel]) -> None:
    """Receiving returns None, sending raises."""
    ours, theirs = ends
    theirs.close()

    assert ours.receive() is None
    with contextlib.suppress(ConnectionError):  # the first message may still find a place
        ours.send({"do": "cancel"})
    with pytest.raises(BrokenPipeError):
        ours.send({"do": "cancel"})


def test_a_message_that_is_cut_off_counts_as_the_end() -> None:
    """As when the other side dies in the middle of it."""
    ours, theirs = socket.socketpair()
    channel = SocketChannel(ours)
    with theirs:
        theirs.sendall(struct.pack("<I", 100) + b'{"is": "do')
    assert channel.receive() is None
    channel.close()


def test_a_message_of_absurd_length_counts_as_the_end() -> None:
    """What comes out of the process that decodes pictures is not trusted with our memory."""
    ours, theirs = socket.socketpair()
    channel = SocketChannel(ours)
    with theirs:
        theirs.sendall(struct.pack("<I", 2**31) + b"x" * 100)
        assert channel.receive() is None
    channel.close()


def test_buffers_travel_with_their_message() -> None:
    """Both processes then see the same bytes; what is not opened is closed."""
    before = len(list(Path("/dev/fd").iterdir()))
    ours, theirs = (SocketChannel(end) for end in socket.socketpair())
    with SharedBuffer.create(100_000) as first, SharedBuffer.create(3) as second:
        first.view[-1] = 7
        ours.send({"do": "run"}, [first, second])
        ours.send({"do": "drop"}, [first])
        parcel, dropped = theirs.receive(), theirs.receive()
        assert parcel is not None
        assert dropped is not None
        dropped.drop()
        opened = parcel.open_buffers()
        assert [buffer.n_bytes for buffer in opened] == [100_000, 3]
        assert opened[0].view[-1] == 7
        opened[1].view[:] = b"abc"
        assert bytes(second.view) == b"abc"
        for buffer in opened:
            buffer.close()
    for end in (ours, theirs):
        end.close()
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_received_descriptors_are_not_handed_on() -> None:
    """Programs that are started later must not hold pictures."""
    ours, theirs = (SocketChannel(end) for end in socket.socketpair())
    with SharedBuffer.create(10) as buffer:
        ours.send({"do": "run"}, [buffer])
        parcel = theirs.receive()
        assert parcel is not None
        (opened,) = parcel.open_buffers()
        assert not os.get_inheritable(opened.handle)
        assert not os.get_inheritable(buffer.handle)
        opened.close()
    for end in (ours, theirs):
        end.close()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_unused_heap_goes_back_to_the_system() -> None:
    """Many blocks below one that stays in use are returned, which free() alone does not do."""
    script = """
import gc, psutil
from colorize_server.inference.memory import give_back_unused
used = lambda: psutil.Process().memory_full_info().uss
blocks = [bytearray(b"x" * 40_000) for _ in range(2_500)]
last = bytearray(b"x" * 40_000)
full = used()
del blocks
gc.collect()
freed = used()
give_back_unused()
print(full - freed, full - used())
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    by_free, by_giving_back = map(int, run.stdout.split())
    assert by_giving_back > 90_000_000 > by_free
