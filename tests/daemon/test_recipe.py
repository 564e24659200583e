"""Recipes and touch-ups over a real socket, with the product's own engine and a small model of the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from colorize_server.settings import CHILD_COMMAND
from daemon_rig import RAW, Rig, running

WIDTH, HEIGHT = 64, 48
GREY = bytes(range(WIDTH)) * HEIGHT
SHAPE = f"width={WIDTH}&height={HEIGHT}&channels=1&host=gimp"
LAYER_BYTES = WIDTH * HEIGHT * 3


@pytest.fixture
async def daemon(tiny_model_path: Path) -> AsyncIterator[Rig]:
    """A daemon with the product's own engine."""
    async with running(child=CHILD_COMMAND, model=tiny_model_path) as rig:
        yield rig


def strokes() -> bytes:
    hints = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    hints[10:20, 10:30] = (200, 40, 40, 255)
    return hints.tobytes()


def pixels(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(HEIGHT, WIDTH, -1).astype(int)


async def recipe_of(daemon: Rig) -> bytes:
    reply = await daemon.ask("POST", f"/v1/colorize?{SHAPE}&include=recipe", GREY, RAW)
    assert reply.status == 200, reply.body
    return reply.body[LAYER_BYTES:]


async def test_a_layer_is_laid_again_from_its_recipe(daemon: Rig) -> None:
    """Doubt and recipe follow the picture; without the network the same layer comes, and one without colour."""
    query = f"{SHAPE}&saturation=0.7&hints=rgba8&include=doubt,recipe"
    reply = await daemon.ask("POST", f"/v1/colorize?{query}", GREY + strokes(), RAW)
    assert reply.status == 200, reply.body
    length = int(reply.headers["X-Colorize-Recipe-Bytes"])
    assert len(reply.body) == LAYER_BYTES + WIDTH * HEIGHT + length
    recipe = reply.body[-length:]
    assert recipe.startswith(b"CLZR")

    async def laid(saturation: float) -> np.ndarray:
        asked = f"{SHAPE}&saturation={saturation}&recipe={length}"
        again = await daemon.ask("POST", f"/v1/colorize?{asked}", GREY + recipe, RAW)
        assert again.status == 200, again.body
        assert "X-Colorize-Recipe-Bytes" not in again.headers
        assert again.headers["X-Colorize-Size"] == reply.headers["X-Colorize-Size"]
        assert "network;dur=0" in again.headers["Server-Timing"]
        return pixels(again.body)

    assert np.abs(await laid(0.7) - pixels(reply.body[:LAYER_BYTES])).max() <= 1
    paler = await laid(0)
    assert np.ptp(paler[40:, 50:], axis=-1).max() <= 2
    assert np.ptp(paler[12:18, 25:28], axis=-1).min() > 40, "hints are not scaled"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("", "bad_recipe"),
        ("&size=64", "bad_parameter"),
        ("&include=doubt", "bad_parameter"),
        ("&include=recipe", "bad_parameter"),
        ("&hints=rgba8", "bad_parameter"),
    ],
)
async def test_what_is_no_recipe_is_refused(daemon: Rig, more: str, code: str) -> None:
    reply = await daemon.ask("POST", f"/v1/colorize?{SHAPE}&recipe=8{more}", GREY + b"nonsense", RAW)
    assert (reply.status, reply.code) == (400, code)


async def test_a_recipe_of_another_size_is_refused(daemon: Rig) -> None:
    recipe = await recipe_of(daemon)
    turned = f"width={HEIGHT}&height={WIDTH}&channels=1&recipe={len(recipe)}"
    reply = await daemon.ask("POST", f"/v1/colorize?{turned}", GREY + recipe, RAW)
    assert (reply.status, reply.code) == (409, "recipe_mismatch")
    assert "64 by 48 pixels, this one has 48 by 64" in reply.json["message"]


async def test_a_damaged_recipe_costs_only_its_request(daemon: Rig) -> None:
    recipe = await recipe_of(daemon)
    for damaged in (recipe[:-1], recipe + b"x", recipe[: len(recipe) // 2]):
        query = f"{SHAPE}&recipe={len(damaged)}"
        reply = await daemon.ask("POST", f"/v1/colorize?{query}", GREY + damaged, RAW)
        assert (reply.status, reply.code) == (400, "bad_recipe")
    assert (await recipe_of(daemon)) == recipe


async def test_a_job_tells_how_long_its_recipe_is(daemon: Rig) -> None:
    created = await daemon.ask("POST", f"/v1/jobs?{SHAPE}&include=recipe", GREY, RAW)
    job = await daemon.finished_job(created.json["id"])
    result = await daemon.ask("GET", f"/v1/jobs/{created.json['id']}/result")
    length = job["result"]["recipe_bytes"]
    assert int(result.headers["X-Colorize-Recipe-Bytes"]) == length
    assert len(result.body) == job["result"]["bytes"] == LAYER_BYTES + length


async def test_strokes_are_lifted_off_a_layer(daemon: Rig) -> None:
    laid = np.full((HEIGHT, WIDTH, 4), (150, 110, 90, 255), np.uint8)
    painted = laid.copy()
    painted[10:20, 10:30, :3] = (60, 60, 190)
    path = f"/v1/touchups?width={WIDTH}&height={HEIGHT}"

    reply = await daemon.ask("POST", path, laid.tobytes() + painted.tobytes(), RAW)
    assert reply.status == 200, reply.body
    assert reply.headers["X-Colorize-Touched"] == "200"
    found = pixels(reply.body)
    assert (found[10:20, 10:30] == (60, 60, 190, 255)).all()
    assert np.count_nonzero(found[..., 3]) == 200

    untouched = await daemon.ask("POST", path, 2 * laid.tobytes(), RAW)
    assert untouched.headers["X-Colorize-Touched"] == "0"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("width=64", 400),
        ("width=64&height=48&channels=4", 400),
        ("width=4&height=48", 422),
        ("width=64&height=48", 400),
    ],
)
async def test_other_layers_are_refused(daemon: Rig, query: str, status: int) -> None:
    reply = await daemon.ask("POST", f"/v1/touchups?{query}", b"short", RAW)
    assert reply.status == status
    encoded = await daemon.ask("POST", f"/v1/touchups?{query}", b"x", {"Content-Type": "image/png"})
    assert (encoded.status, encoded.code) == (415, "unsupported_media_type")
