"""Whether the photograph is still the one that was sent; GIMP's buffers are stood in for.

That GIMP gives the same bytes twice is tested in a real GIMP: there, every run would be refused otherwise.
"""

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

WIDTH, HEIGHT = 300, 200


@pytest.fixture
def pixels(stood_in: Callable[[str], ModuleType]) -> ModuleType:
    module = stood_in("pixels")
    module.Gegl.Rectangle.new = lambda *area: area
    return module


def photograph(channels: int, depth: int) -> np.ndarray:
    """A slope from dark to light with grain, opaque."""
    slope = np.linspace(0.1, 0.9, WIDTH) + np.random.default_rng(0).normal(0, 0.02, (HEIGHT, WIDTH))
    levels = np.clip(slope, 0, 1) * (2**depth - 1)
    picture = np.full((HEIGHT, WIDTH, channels), 2**depth - 1, f"<u{depth // 8}")
    picture[..., 0] = levels
    return picture


def check(pixels: ModuleType, sent: np.ndarray, found: np.ndarray) -> None:
    """Check a layer that holds `found` after `sent` was sent."""

    def get(area: tuple[int, int, int, int], *_: object) -> bytes:
        x, y, width, height = area
        return found[y : y + height, x : x + width].tobytes()

    layer = SimpleNamespace(is_group=lambda: False, get_buffer=lambda: SimpleNamespace(get=get))
    source = SimpleNamespace(
        layer=layer, width=WIDTH, height=HEIGHT, has_alpha=sent.shape[2] == 2, depth=8 * sent.itemsize,
        check_unchanged=lambda: None,
    )  # fmt: skip
    pixels.check_unchanged(source, None, sent.tobytes())


@pytest.fixture(params=[(1, 8), (2, 8), (1, 16), (2, 16)], ids=str)
def sent(request: pytest.FixtureRequest) -> np.ndarray:
    return photograph(*request.param)


def test_the_same_picture_is_accepted(pixels: ModuleType, sent: np.ndarray) -> None:
    check(pixels, sent, sent)


def test_a_small_retouch_is_accepted(pixels: ModuleType, sent: np.ndarray) -> None:
    """A stroke over a fiftieth of the picture, and a change of tone that nobody sees."""
    found = sent.astype(np.int64)
    found[..., 0] = np.clip(found[..., 0] + found.max() // 64, 0, found.max())
    found[50:90, 100:130, 0] = 0
    check(pixels, sent, found.astype(sent.dtype))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture[:, ::-1],
        lambda picture: np.concatenate([picture[:, 60:], picture[:, :60]], axis=1),
        lambda picture: picture // 2,
    ],
    ids=["flipped", "shifted", "darkened"],
)
def test_another_picture_is_refused_in_words(
    pixels: ModuleType, sent: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    message = "photograph was edited .+; nothing was changed. Colorize it again."
    with pytest.raises(pixels.RefusalError, match=message):
        check(pixels, sent, change(sent))


@pytest.mark.parametrize("depth", [8, 16])
def test_erasing_is_seen_too(pixels: ModuleType, depth: int) -> None:
    sent = photograph(2, depth)
    found = sent.copy()
    found[:, :100, 1] = 0
    with pytest.raises(pixels.RefusalError):
        check(pixels, sent, found)


@pytest.mark.parametrize(("depth", "sample"), [(8, 1), (16, 2)])
def test_alpha_that_is_all_zero_is_seen(pixels: ModuleType, depth: int, sample: int) -> None:
    """Whatever grey lies under it; in 16 bits either byte of alpha counts."""
    clear = (b"\x68" * sample + b"\0" * sample) * 100
    assert pixels._is_clear(clear, depth)
    for byte in range(sample):
        touched = bytearray(clear)
        touched[2 * sample * 50 + sample + byte] = 1
        assert not pixels._is_clear(bytes(touched), depth)
