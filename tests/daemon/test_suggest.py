"""`POST /v1/suggest` over a real socket, with a small model that suggests colours."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import FormData
from attacks import png_bomb
from colorize_server.color.rgb import SRGB
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import QUICK, RAW, TOKEN, Reply, Rig, running, until
from PIL import Image
from scripted_child import SLOW
from tiny_model import ALSO_SUGGESTED, SUGGESTED_SHARE, write_tiny_model

WIDTH, HEIGHT = 96, 64
LEFT, RIGHT = 60, 200
"""Levels of the two halves of the picture."""
SHAPE = f"width={WIDTH}&height={HEIGHT}&channels=1"
BLUE = (40, 60, 200)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Rig]:
    """A daemon whose model suggests colours."""
    model = write_tiny_model(tmp_path / "tiny.onnx", suggests=True)
    async with running(child=CHILD_COMMAND, model=model) as rig:
        yield rig


def grey() -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH), LEFT, np.uint8)
    picture[:, WIDTH // 2 :] = RIGHT
    return picture


def strokes(colour: tuple[int, int, int] = BLUE) -> np.ndarray:
    """A stroke in the upper left corner."""
    hints = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    hints[4:14, 4:20] = (*colour, 255)
    return hints


def png(pixels: np.ndarray, **rest: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **rest)
    return stream.getvalue()


async def ask(daemon: Rig, places: str, *, more: str = "", body: bytes = b"") -> Reply:
    return await daemon.ask("POST", f"/v1/suggest?{SHAPE}{more}{places}", body or grey().tobytes(), RAW)


async def test_places_get_colours_at_their_own_lightness(daemon: Rig) -> None:
    reply = await ask(daemon, "&at=80,50&at=10,40")
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["X-Colorize-Model"] == reply.json["model"] == "tiny 1"
    assert [(place["x"], place["y"]) for place in reply.json["places"]] == [(80, 50), (10, 40)]
    for place, level in zip(reply.json["places"], (RIGHT, LEFT), strict=True):
        lightness = SRGB.lab_from_encoded(np.full(3, level / 255))[0]
        assert place["lightness"] == pytest.approx(lightness, abs=0.1)
        for colour in place["colours"]:
            assert colour["lab"][0] == pytest.approx(lightness, abs=0.1)
            assert SRGB.lab_from_encoded(np.array(colour["srgb"]) / 255) == pytest.approx(colour["lab"], abs=1.5)
            assert "used" not in colour


async def test_the_likeliest_comes_first_and_what_looks_alike_is_one_colour(daemon: Rig) -> None:
    """The tiny model's second and third suggestion are both nearly grey: one swatch with the share of both."""
    colours = (await ask(daemon, "&at=80,50")).json["places"][0]["colours"]
    shares = [colour["share"] for colour in colours]
    assert shares == sorted(shares, reverse=True)
    assert shares[:2] == pytest.approx([SUGGESTED_SHARE, ALSO_SUGGESTED[0][2] + ALSO_SUGGESTED[1][2]])
    assert sum(shares) <= 1
    assert len(colours) == 1 + len(ALSO_SUGGESTED) - 1
    l_in = 2 * colours[0]["lab"][0] / 100 - 1
    assert colours[0]["lab"][1:] == pytest.approx([110 * (0.2 - 0.1 * l_in), 110 * (0.15 + 0.1 * l_in)], abs=0.3)


async def test_colours_that_the_artist_used_come_first(daemon: Rig) -> None:
    """Whatever the place; with the stroke's own a*b*, as far as the lightness there allows."""
    reply = await ask(daemon, "&at=80,50", more="&hints=rgba8", body=grey().tobytes() + strokes().tobytes())
    first, *others = reply.json["places"][0]["colours"]
    assert first["used"] is True
    stroke = SRGB.lab_from_encoded(np.array(BLUE) / 255)
    assert np.degrees(np.arctan2(first["lab"][2], first["lab"][1])) == pytest.approx(
        np.degrees(np.arctan2(stroke[2], stroke[1])), abs=2
    )
    assert others
    assert not any("used" in colour for colour in others)


async def test_encoded_pictures_are_taken_upright_with_hints_or_without(daemon: Rig) -> None:
    """Places are on the picture as it is seen: a scan that lies on its side is turned first."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: what is stored on the left is seen on top
    body = png(grey(), exif=exif)
    headers = {"Content-Type": "image/png"}
    reply = await daemon.ask("POST", "/v1/suggest?at=32,10&at=32,90", body, headers)
    assert reply.status == 200, reply.body
    above, below = (place["lightness"] for place in reply.json["places"])
    assert above < 30 < 75 < below

    form = FormData()
    form.add_field("photo", io.BytesIO(png(grey())), content_type="image/png", filename="photo.png")
    form.add_field("hints", io.BytesIO(png(strokes())), content_type="image/png", filename="hints.png")
    with_hints = await daemon.ask("POST", "/v1/suggest?at=90,10", form)
    assert with_hints.json["places"][0]["colours"][0]["used"] is True


async def test_a_place_beside_an_encoded_picture_is_refused_once_its_size_is_known(daemon: Rig) -> None:
    reply = await daemon.ask("POST", "/v1/suggest?at=96,0", png(grey()), {"Content-Type": "image/png"})
    assert (reply.status, reply.code) == (400, "bad_parameter")
    assert "96 by 64" in reply.json["message"]


@pytest.mark.parametrize(
    "places",
    [
        "", "&at=", "&at=1", "&at=1,2,3", "&at=-1,2", "&at=1.5,2", "&at=a,b", "&at=96,0", "&at=0,64",
        "&at=1%2C2&at=99,2", "&at=1,1" * 17, "&at=%D9%A1,1", "&at=1,1&size=64", "&at=1,1&host=gimp", "&at=1,1&recipe=5",
    ],
)  # fmt: skip
async def test_what_is_no_place_on_the_picture_is_refused(daemon: Rig, places: str) -> None:
    """Before the body is looked at."""
    reply = await ask(daemon, places)
    assert (reply.status, reply.code) == (400, "bad_parameter")


async def test_a_job_brings_the_same_suggestions(daemon: Rig) -> None:
    at_once = await ask(daemon, "&at=80,50")
    created = await daemon.ask("POST", f"/v1/jobs?{SHAPE}&at=80,50", grey().tobytes(), RAW)
    assert created.status == 202, created.body
    job = await daemon.finished_job(created.json["id"])
    assert job["result"]["content_type"] == "application/json"
    result = await daemon.ask("GET", f"/v1/jobs/{created.json['id']}/result")
    assert result.json == at_once.json
    assert len(result.body) == job["result"]["bytes"]


async def test_an_old_model_suggests_nothing_and_says_so(tiny_model_path: Path) -> None:
    async with running(child=CHILD_COMMAND, model=tiny_model_path) as old:
        assert (await old.ask("GET", "/v1/health")).json["suggestions"] is False
        reply = await ask(old, "&at=1,1")
        assert (reply.status, reply.code) == (409, "no_suggestions")
        assert "tiny 1 suggests no colours" in reply.json["message"]
        assert old.is_quiet


async def test_health_says_that_a_model_suggests_colours(daemon: Rig) -> None:
    assert (await daemon.ask("GET", "/v1/health", token=None)).json["suggestions"] is True


async def test_a_token_is_needed(rig: Rig) -> None:
    for token, code in ((None, "token_missing"), ("0" * 64, "token_wrong")):
        reply = await rig.ask("POST", f"/v1/suggest?{SHAPE}&at=1,1", grey().tobytes(), RAW, token=token)
        assert (reply.status, reply.code) == (401, code)


async def test_a_bomb_is_refused_before_it_is_decoded(daemon: Rig) -> None:
    reply = await daemon.ask("POST", "/v1/suggest?at=1,1", png_bomb(), {"Content-Type": "image/png"})
    assert (reply.status, reply.code) == (413, "picture_too_large")
    assert daemon.inference.restarts == 0


async def test_closing_the_socket_ends_the_work(rig: Rig) -> None:
    head = (
        f"POST /v1/suggest?{SHAPE}&at=1,1 HTTP/1.1\r\nHost: 127.0.0.1:{rig.port}\r\nX-Colorize-Token: {TOKEN}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {WIDTH * HEIGHT}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head.encode() + bytes([SLOW]) * (WIDTH * HEIGHT))
    await writer.drain()
    await until(lambda: rig.inference._child.run is not None)
    writer.close()
    await until(lambda: rig.is_quiet, timeout_s=5)
    assert rig.inference.restarts == 0


async def test_memory_is_held_for_the_body_and_the_suggestions_alone() -> None:
    """Room for a coloured picture is not asked for; a body that is too large is refused as everywhere."""
    async with running(replace(QUICK, max_held_bytes=WIDTH * HEIGHT + (64 << 10))) as rig:
        reply = await ask(rig, "&at=1,1")
        assert reply.status == 200, reply.body
        larger = f"width={WIDTH}&height={HEIGHT + 1}&channels=1"
        body = bytes(WIDTH * (HEIGHT + 1))
        refused = await rig.ask("POST", f"/v1/suggest?{larger}&at=1,1", body, RAW)
        assert (refused.status, refused.code) == (503, "out_of_memory")
        assert rig.is_quiet
