"""`POST /v1/colorize` with raw pixels: what goes in, what comes out, on a real socket."""

import asyncio
import struct

import pytest
from daemon_rig import RAW, Rig, running, until
from scripted_child import NORMAL, STEPS


def _samples(depth: int, values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}{'B' if depth == 8 else 'H'}", *values)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
async def test_every_kind_of_raw_picture(rig: Rig, channels: int, depth: int) -> None:
    """The answer has the picture's size, depth and alpha."""
    width, height = 9, 8
    top = 2 ** (depth - 8)
    pixels = [0] * channels + [value % 256 * top for value in range(1, width * height * channels - channels + 1)]
    query = f"width={width}&height={height}&channels={channels}&depth={depth}"

    reply = await rig.ask("POST", f"/v1/colorize?{query}", _samples(depth, pixels), RAW)

    answer_channels = 4 if channels in (2, 4) else 3
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/octet-stream"
    names = ("Width", "Height", "Channels", "Depth", "Size")
    shape = [int(reply.headers[f"X-Colorize-{name}"]) for name in names]
    assert shape == [width, height, answer_channels, depth, 64]
    assert reply.headers["X-Colorize-Model"] == "scripted 1"
    assert reply.headers["X-Colorize-Model-Sha256"] == "0" * 64
    assert reply.headers["X-Colorize-Backend"] == "scripted"
    assert len(reply.body) == width * height * answer_channels * depth // 8
    answer = struct.unpack(f"<{width * height * answer_channels}{'B' if depth == 8 else 'H'}", reply.body)
    grey = pixels[::channels]
    assert list(answer[::answer_channels]) == [(255 - value // top) * top for value in grey]
    assert list(answer[1::answer_channels]) == [value // top * top for value in grey]
    if answer_channels == 4:
        assert list(answer[3::4]) == pixels[channels - 1 :: channels]


async def test_hints_and_doubt_travel_with_the_picture(rig: Rig) -> None:
    """Hints follow the picture in the body, doubt follows it in the answer."""
    body = bytes(64) + bytes(64 * 4)

    reply = await rig.ask("POST", "/v1/colorize?width=8&height=8&channels=1&hints=rgba8&include=doubt", body, RAW)

    assert reply.status == 200
    assert reply.body == bytes([255, 0, 7]) * 64 + bytes([9]) * 64


async def test_server_timing_names_every_step(rig: Rig) -> None:
    """Queue, decode, network, picture and encode are there, in milliseconds."""
    reply = await rig.colorize(bytes([NORMAL]))

    steps = dict(entry.split(";dur=") for entry in reply.headers["Server-Timing"].split(", "))
    assert list(steps) == ["queue", "decode", "network", "picture", "encode"]
    assert (float(steps["network"]), float(steps["picture"])) == (1.5, 2.5)
    assert 0 <= float(steps["queue"]) < 5000


async def test_the_network_size_that_was_asked_for_is_used(rig: Rig) -> None:
    """`size` reaches the engine and comes back."""
    reply = await rig.colorize(bytes([NORMAL]), query="&size=128")

    assert reply.headers["X-Colorize-Size"] == "128"


async def test_a_body_without_a_length_is_taken(rig: Rig) -> None:
    """A client may send its picture in chunks."""

    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(16):
            yield bytes(16)

    reply = await rig.ask("POST", "/v1/colorize?width=16&height=16&channels=1", chunks(), RAW)

    assert (reply.status, len(reply.body)) == (200, 768)


async def test_a_large_picture_passes_through_whole(rig: Rig) -> None:
    """Megabytes arrive and leave in many pieces, none lost, none twice."""
    width, height = 1500, 1000
    picture = bytes(1) + bytes(range(256)) * (width * height // 256)
    picture = picture.ljust(width * height, b"\x05")

    reply = await rig.colorize(picture, width=width, height=height)

    expected = bytearray(width * height * 3)
    expected[0::3] = bytes(255 - value for value in picture)
    expected[1::3] = picture
    expected[2::3] = bytes([7]) * (width * height)
    assert bytes(expected) == reply.body


async def test_many_at_once_are_each_answered_with_their_own(rig: Rig) -> None:
    """Answers are not mixed up."""
    pictures = [bytes([0]) + bytes([n]) * 255 for n in range(1, 11)]

    replies = await asyncio.gather(*(rig.colorize(picture) for picture in pictures))

    assert [reply.status for reply in replies] == [200] * 10
    assert [reply.body[1::3] for reply in replies] == pictures


async def test_memory_is_given_back(rig: Rig) -> None:
    """After the answers nothing is held, in the daemon or in the inference process."""
    await rig.colorize(bytes([NORMAL]))
    before = (rig.child.memory_info().rss, rig.child.num_fds())

    for _ in range(20):
        await rig.colorize(bytes([NORMAL]), width=1000, height=100)

    assert rig.is_quiet
    await until(lambda: rig.child.num_fds() <= before[1])
    assert rig.child.memory_info().rss - before[0] < 20e6


async def test_answers_cannot_be_kept_embedded_or_guessed_at(rig: Rig) -> None:
    """Headers tell browsers to keep off, and there are none for CORS."""
    for reply in (await rig.colorize(bytes([NORMAL])), await rig.ask("GET", "/v1/health"), await rig.ask("GET", "/")):
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]
        assert reply.headers["Server"] == "colorize-server"


async def test_clients_are_served_in_turn() -> None:
    """One client with many pictures does not keep another one waiting for all of them."""
    async with running() as rig:
        order: list[str] = []

        async def send(client: str, how: int) -> None:
            await rig.colorize(bytes([how]), client=client)
            order.append(client)

        first = asyncio.create_task(send("a", STEPS))
        await asyncio.sleep(0.3)
        greedy = [asyncio.create_task(send("a", NORMAL)) for _ in range(6)]
        await asyncio.sleep(0.2)
        modest = [asyncio.create_task(send("b", NORMAL)) for _ in range(2)]
        await asyncio.gather(first, *greedy, *modest)

        assert order[0] == "a"
        # b came last and had to wait for one of a's at most before each of its own.
        assert max(place for place, client in enumerate(order) if client == "b") <= 4
