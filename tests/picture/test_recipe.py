"""Recipes: a layer laid again from one is the layer that was laid; what is none is refused before it costs memory."""

import json
import zlib

import numpy as np
import pytest
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.options import Host, Options
from colorize_server.picture.photograph import Photograph, profile_by_name
from colorize_server.picture.recipe import MAGIC, Recipe, RecipeError, quantized, unpack

SHAPE = (60, 80)


def picture(seed: int = 0) -> np.ndarray:
    ramp = np.linspace(20, 230, SHAPE[1])[None] + np.random.default_rng(seed).normal(0, 6, SHAPE)
    return np.clip(ramp, 0, 255).astype(np.uint8)[..., None]


def strokes() -> np.ndarray:
    hints = np.zeros((*SHAPE, 4), np.uint8)
    hints[20:30, 20:50] = (200, 40, 40, 255)
    hints[40:44, 10:70] = (40, 40, 200, 120)
    return hints


def recipe(**members: object) -> Recipe:
    chroma = quantized(np.random.default_rng(1).normal(0, 30, (2, 48, 64)).astype(np.float32))
    return Recipe(**{"width": 80, "height": 60, "size": 48, "chroma": chroma, "hints": strokes(), **members})


@pytest.mark.parametrize("hints", [None, strokes()])
def test_a_recipe_is_read_as_it_was_packed(hints: np.ndarray | None) -> None:
    made = recipe(hints=hints)
    read = unpack(made.pack(), 80, 60)
    assert (read.width, read.height, read.size) == (80, 60, 48)
    assert np.array_equal(read.chroma, made.chroma)
    assert (read.hints is None) if hints is None else np.array_equal(read.hints, hints)


@pytest.mark.parametrize("host", list(Host))
@pytest.mark.parametrize("hints", [None, strokes()])
def test_laying_again_gives_the_same_layer(shipped: Colorizer, host: Host, hints: np.ndarray | None) -> None:
    photograph = Photograph(picture(), profile_by_name("srgb", 1))
    options = Options(host=host, saturation=0.7)
    first, _ = shipped.colorize(photograph, options, hints=hints)
    packed = shipped.generate(photograph, options, hints=hints).recipe.pack()
    again = shipped.lay(photograph, options, shipped.recall(photograph, unpack(packed, 80, 60)))
    assert np.abs(again.astype(int) - first).max() <= 1
    paler = shipped.lay(
        photograph, Options(host=host, saturation=0.2), shipped.recall(photograph, unpack(packed, 80, 60))
    )
    assert np.ptp(paler.astype(int), axis=-1).mean() < 0.8 * np.ptp(first.astype(int), axis=-1).mean()


def test_a_recipe_of_another_picture_is_refused() -> None:
    with pytest.raises(RecipeError, match="80 by 60 pixels, this one has 60 by 80") as caught:
        unpack(recipe().pack(), 60, 80)
    assert (caught.value.code, caught.value.status) == ("recipe_mismatch", 409)


def head(**members: object) -> bytes:
    values = {
        "width": 80, "height": 60, "size": 48, "network_width": 64, "network_height": 48,
        "chroma_bytes": 0, "hints_bytes": 0,
    }  # fmt: skip
    return MAGIC + json.dumps({**values, **members}).encode() + b"\n"


BOMB = zlib.compress(bytes(1 << 26))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"CLZR",
        b"PNG",
        MAGIC + b"{}\n",
        MAGIC + b"[1]\n",
        MAGIC + b"nonsense\n",
        MAGIC + b"x" * 4000 + b"\n",
        head(),
        head(network_width=1 << 20, network_height=1 << 20, chroma_bytes=len(BOMB)) + BOMB,
        head(chroma_bytes=len(BOMB)) + BOMB,
        head(size="48"),
        head(size=True),
        head(chroma_bytes=-1),
        recipe().pack()[:-1],
        recipe().pack() + b"x",
        recipe(hints=None).pack().replace(b'"hints_bytes": 0', b'"hints_bytes": 5') + b"12345",
    ],
)
def test_what_is_no_recipe_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(RecipeError, match="none, or was damaged") as caught:
        unpack(data, 80, 60)
    assert (caught.value.code, caught.value.status) == ("bad_recipe", 400)
