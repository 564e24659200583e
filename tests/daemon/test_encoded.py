"""Encoded pictures, with the product's own engine and a small model of the contract."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from email.parser import BytesParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from aiohttp import FormData
from colorize_server.errors import OutOfMemoryError
from colorize_server.inference.memory import SharedBuffer
from colorize_server.inference.task import Task
from colorize_server.picture.control import Control
from colorize_server.picture.options import Options
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import RAW, Rig, running, until
from PIL import Image

PNG_TASK = Task(
    options=Options(),
    media_type="image/png",
    raw=None,
    wants_doubt=False,
    answer_type="image/png",
    max_pixels=10**6,
    max_side=10**4,
)
KINDS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/webp": "WEBP"}


@pytest.fixture
async def daemon(tiny_model_path: Path) -> AsyncIterator[Rig]:
    """A daemon with the product's own engine."""
    async with running(child=CHILD_COMMAND, model=tiny_model_path) as rig:
        yield rig


def photograph(mode: str = "L") -> Image.Image:
    """A picture with every grey in it."""
    grey = np.add.outer(np.arange(48), np.arange(64) * 3).astype(np.uint8)
    return Image.fromarray(grey).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **rest: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **rest)
    return stream.getvalue()


async def test_pictures_that_are_left_out_are_told_in_a_header(daemon: Rig) -> None:
    stream = io.BytesIO()
    frames = [photograph(), photograph().transpose(Image.Transpose.ROTATE_180)]
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
    answer = await daemon.ask("POST", "/v1/colorize", stream.getvalue(), {"Content-Type": "image/tiff"})
    assert answer.headers["X-Colorize-Remarks"] == "The file holds 2 pictures; the first was coloured."
    answer = await daemon.ask("POST", "/v1/colorize", encoded(photograph()), {"Content-Type": "image/png"})
    assert "X-Colorize-Remarks" not in answer.headers


@pytest.mark.parametrize("media_type", KINDS)
async def test_every_format_is_taken(daemon: Rig, media_type: str) -> None:
    """A PNG comes back, a TIFF for a TIFF, of the picture's size, and in colour."""
    body = encoded(photograph("RGB"), KINDS[media_type])

    reply = await daemon.ask("POST", "/v1/colorize", body, {"Content-Type": media_type})

    assert reply.status == 200, reply.body
    expected = "image/tiff" if media_type == "image/tiff" else "image/png"
    assert reply.headers["Content-Type"] == expected
    with Image.open(io.BytesIO(reply.body)) as answer:
        assert answer.size == (64, 48)
        pixels = np.asarray(answer.convert("RGB")).astype(int)
    assert np.abs(pixels[..., 0] - pixels[..., 2]).mean() > 5
    assert reply.headers["X-Colorize-Width"] == "64"
    assert "decode;dur=0," not in reply.headers["Server-Timing"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [("image/tiff", "image/tiff"), ("image/png, */*", "image/png"), ("*/*", "image/png"), ("image/jpeg", "image/png")],
)
async def test_accept_chooses_the_format_of_the_answer(daemon: Rig, accept: str, expected: str) -> None:
    """PNG or TIFF; what is neither changes nothing."""
    headers = {"Content-Type": "image/png", "Accept": accept}

    reply = await daemon.ask("POST", "/v1/colorize", encoded(photograph()), headers)

    assert reply.headers["Content-Type"] == expected


async def test_a_16_bit_picture_keeps_its_depth(daemon: Rig) -> None:
    """16 bits in, 16 bits out."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.linspace(0, 65535, 48 * 64).reshape(48, 64).astype(np.uint16))

    reply = await daemon.ask("POST", "/v1/colorize", stream.getvalue(), {"Content-Type": "image/tiff"})

    assert reply.headers["X-Colorize-Depth"] == "16"
    assert tifffile.imread(io.BytesIO(reply.body)).dtype == np.uint16


async def test_hints_come_as_a_second_part(daemon: Rig) -> None:
    """Where the painter painted red, the answer is redder than where nobody did."""
    hints = Image.new("RGBA", (64, 48))
    hints.paste((220, 20, 20, 255), (0, 0, 32, 48))
    form = FormData()
    form.add_field("photo", io.BytesIO(encoded(photograph())), content_type="image/png")
    form.add_field("hints", io.BytesIO(encoded(hints)), content_type="image/png")

    reply = await daemon.ask("POST", "/v1/colorize?output=composite", form)

    assert reply.status == 200, reply.body
    with Image.open(io.BytesIO(reply.body)) as answer:
        pixels = np.asarray(answer.convert("RGB")).astype(int)
    redness = pixels[..., 0] - pixels[..., 1]
    assert redness[:, 8:24].mean() > redness[:, 40:56].mean() + 20


async def test_doubt_comes_as_a_second_part_of_the_answer(daemon: Rig) -> None:
    """multipart/mixed with the parts picture and doubt."""
    reply = await daemon.ask("POST", "/v1/colorize?include=doubt", encoded(photograph()), {"Content-Type": "image/png"})

    head = b"Content-Type: " + reply.headers["Content-Type"].encode() + b"\r\n\r\n"
    message = BytesParser().parsebytes(head + reply.body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts]
    assert names == ["picture", "doubt"]
    pictures = [Image.open(io.BytesIO(part.get_payload(decode=True))) for part in parts]
    assert [(picture.size, picture.mode) for picture in pictures] == [((64, 48), "RGB"), ((64, 48), "L")]


async def test_a_job_takes_an_encoded_picture(daemon: Rig) -> None:
    """And tells the format of its result."""
    reply = await daemon.ask("POST", "/v1/jobs", encoded(photograph()), {"Content-Type": "image/png"})

    job = await daemon.finished_job(reply.json["id"])

    assert job["result"]["content_type"] == "image/png"
    result = await daemon.ask("GET", f"/v1/jobs/{job['id']}/result")
    assert len(result.body) == job["result"]["bytes"]


async def test_a_job_with_doubt_tells_the_type_and_length_that_it_sends(daemon: Rig) -> None:
    """Of the whole body, with its boundary; the same each time that it is fetched."""
    reply = await daemon.ask("POST", "/v1/jobs?include=doubt", encoded(photograph()), {"Content-Type": "image/png"})

    job = await daemon.finished_job(reply.json["id"])

    results = [await daemon.ask("GET", f"/v1/jobs/{job['id']}/result") for _ in range(2)]
    assert job["result"]["content_type"].startswith("multipart/mixed; boundary=")
    assert {result.headers["Content-Type"] for result in results} == {job["result"]["content_type"]}
    assert [len(result.body) for result in results] == [job["result"]["bytes"]] * 2


@pytest.mark.parametrize(("alpha", "hinted"), [(0, 0), (255, 64 * 48), (None, None)])
async def test_how_much_the_hints_cover_is_told(daemon: Rig, alpha: int | None, hinted: int | None) -> None:
    """So that a client can say that nothing was painted, or that a layer was flattened; encoded, raw and as a job."""
    form = FormData()
    form.add_field("photo", io.BytesIO(encoded(photograph())), content_type="image/png")
    raw, query = bytes(64 * 48), "width=64&height=48&channels=1"
    if alpha is not None:
        hints = Image.new("RGBA", (64, 48), (220, 20, 20, alpha))
        form.add_field("hints", io.BytesIO(encoded(hints)), content_type="image/png")
        raw, query = raw + hints.tobytes(), f"{query}&hints=rgba8"

    replies = [
        await daemon.ask("POST", "/v1/colorize", form),
        await daemon.ask("POST", f"/v1/colorize?{query}", raw, RAW),
    ]
    created = await daemon.ask("POST", f"/v1/jobs?{query}", raw, RAW)
    job = await daemon.finished_job(created.json["id"])

    told = None if hinted is None else str(hinted)
    assert [reply.headers.get("X-Colorize-Hinted") for reply in replies] == [told, told]
    assert job["result"].get("hinted") == hinted


@pytest.mark.parametrize("how", ["cut", "empty", "renamed", "flipped"])
async def test_damaged_pictures(daemon: Rig, how: str) -> None:
    """A clear error, and the next picture is served by the same process."""
    picture = encoded(photograph())
    bodies = {
        "cut": picture[: len(picture) // 2],
        "empty": b"",
        "renamed": encoded(photograph(), "BMP"),
        "flipped": b"x" + picture,
    }

    reply = await daemon.ask("POST", "/v1/colorize", bodies[how], {"Content-Type": "image/png"})

    assert (reply.status, reply.code) == ((400, "bad_body") if how == "empty" else (422, "damaged_picture"))
    assert (await daemon.ask("POST", "/v1/colorize", picture, {"Content-Type": "image/png"})).status == 200
    assert daemon.inference.restarts == 0


@pytest.mark.parametrize(("size", "mode", "code"), [((64, 47), "RGBA", "bad_hints"), ((64, 48), "RGB", "bad_hints")])
async def test_hints_that_do_not_fit(daemon: Rig, size: tuple[int, int], mode: str, code: str) -> None:
    """Another size, or no transparency."""
    form = FormData()
    form.add_field("photo", io.BytesIO(encoded(photograph())), content_type="image/png")
    form.add_field("hints", io.BytesIO(encoded(Image.new(mode, size))), content_type="image/png")

    reply = await daemon.ask("POST", "/v1/colorize", form)

    assert (422, code) == (reply.status, reply.code)


async def test_raw_pictures_take_the_same_path(daemon: Rig) -> None:
    """Raw grey and the same picture as a PNG give the same colours."""
    image = photograph()
    raw = await daemon.ask("POST", "/v1/colorize?width=64&height=48&channels=1&output=composite", image.tobytes(), RAW)

    png = await daemon.ask("POST", "/v1/colorize?output=composite", encoded(image), {"Content-Type": "image/png"})

    with Image.open(io.BytesIO(png.body)) as answer:
        assert np.abs(np.frombuffer(raw.body, np.uint8).astype(int) - np.asarray(answer).ravel()).max() <= 2


async def test_many_small_pictures_do_not_make_it_grow(daemon: Rig) -> None:
    """A short form of what the soak shows with a thousand."""
    picture = encoded(photograph())

    async def send(count: int) -> None:
        for _ in range(count):
            assert (await daemon.ask("POST", "/v1/colorize", picture, {"Content-Type": "image/png"})).status == 200

    await send(20)
    before = daemon.child.memory_info().rss
    await send(40)
    assert daemon.child.memory_info().rss - before < 12e6


def test_a_picture_that_decodes_to_more_than_is_left(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused before it is decoded."""
    import psutil
    from colorize_server.inference.child import WorkerRequest
    from colorize_server.inference.worker import open_worker

    engine = open_worker(WorkerRequest("auto", 0, False, tiny_model_path))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=20_000))
    data = encoded(photograph())
    with SharedBuffer.create(len(data)) as body:
        body.view[:] = data
        with pytest.raises(OutOfMemoryError):
            engine.run(PNG_TASK, [body], Control())


def test_a_decoder_that_takes_long_is_not_taken_for_hung(
    tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are signs of life while it, or the encoder, works; and none afterwards."""
    from colorize_server.formats import decode, encode
    from colorize_server.inference.child import WorkerRequest
    from colorize_server.inference.worker import open_worker
    from colorize_server.picture import control

    monkeypatch.setattr(control, "_BEAT_S", 0.01)
    told: list[tuple[str, float]] = []
    now = "network"

    def slowly(name: str, work: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal now
            before, now = now, name
            time.sleep(0.2)
            try:
                return work(*arguments, **options)
            finally:
                now = before

        return call

    monkeypatch.setattr(decode, "decode_picture", slowly("decode", decode.decode_picture))
    monkeypatch.setattr(encode, "encode_picture", slowly("encode", encode.encode_picture))
    data = encoded(photograph())
    with SharedBuffer.create(len(data)) as body:
        body.view[:] = data
        engine = open_worker(WorkerRequest("auto", 0, False, tiny_model_path))
        _, answer = engine.run(PNG_TASK, [body], Control(lambda fraction: told.append((now, fraction))))
        answer.close()
    assert {name for name, fraction in told if fraction == 0.0} >= {"decode", "encode"}
    count = len(told)
    time.sleep(0.1)
    assert len(told) == count


async def test_cancelling_an_encoded_picture(daemon: Rig) -> None:
    """Decoders do not listen; the process is replaced if need be, and nothing stays."""
    noise = np.random.default_rng(1).integers(0, 255, (3000, 3000), np.uint8)
    body = await asyncio.to_thread(encoded, Image.fromarray(noise))
    task = asyncio.create_task(daemon.ask("POST", "/v1/colorize", io.BytesIO(body), {"Content-Type": "image/png"}))
    await until(lambda: daemon.inference._child.run is not None)
    await asyncio.sleep(0.1)

    task.cancel()

    await until(lambda: not daemon.scheduler_busy())
    assert daemon.is_quiet
    assert (
        await daemon.ask("POST", "/v1/colorize", encoded(photograph()), {"Content-Type": "image/png"})
    ).status == 200
