"""What is sent of a photograph, and whether it is still that; GIMP's buffers are stood in for.

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
    picture[..., : max(1, channels // 3 * 3)] = levels[..., None]
    return picture


def toned(channels: int) -> np.ndarray:
    """The same, with a little less blue than red."""
    picture = photograph(channels, 8)
    picture[..., 2] = picture[..., 2] * 0.9
    return picture


def as_picture(pixels: ModuleType, found: np.ndarray) -> object:
    return pixels.Picture(found.tobytes(), found.shape[2], 8 * found.itemsize)


def read(pixels: ModuleType, found: np.ndarray, base: str = "RGB") -> object:
    """Return what is sent of a layer that holds `found`, given in any format that has its channels."""

    def get(area: object, scale: float, pixel_format: str, *_: object) -> bytes:
        assert pixel_format == f"{pixels.FORMATS[found.shape[2]]} u{8 * found.itemsize}"
        return found.tobytes()

    image = SimpleNamespace(get_base_type=lambda: getattr(pixels.Gimp.ImageBaseType, base))
    layer = SimpleNamespace(is_group=lambda: False, get_filters=list, get_buffer=lambda: SimpleNamespace(get=get))
    source = SimpleNamespace(
        image=image, layer=layer, width=WIDTH, height=HEIGHT, has_alpha=found.shape[2] in (2, 4),
        depth=8 * found.itemsize, retouch=[],
    )  # fmt: skip
    return pixels.read_picture(source)


def check(pixels: ModuleType, sent: np.ndarray, found: np.ndarray) -> None:
    """Check a layer that holds `found` after `sent` was sent."""

    def get(area: tuple[int, int, int, int], *_: object) -> bytes:
        x, y, width, height = area
        return found[y : y + height, x : x + width].tobytes()

    layer = SimpleNamespace(is_group=lambda: False, get_filters=list, get_buffer=lambda: SimpleNamespace(get=get))
    source = SimpleNamespace(
        retouch=[], layer=layer, width=WIDTH, height=HEIGHT, depth=8 * sent.itemsize, check_unchanged=lambda: None
    )
    pixels.check_unchanged(source, as_picture(pixels, sent))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_toned_photograph_in_bytes_is_sent_in_colour(pixels: ModuleType, channels: int) -> None:
    """Its lightness lies between the levels of grey."""
    found = toned(channels)
    assert read(pixels, found) == as_picture(pixels, found)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_grey_photograph_in_bytes_is_sent_as_grey(pixels: ModuleType, channels: int) -> None:
    """Whatever its image could hold; alpha goes with it."""
    found = photograph(channels, 8)
    if channels == 4:
        found[:, :100, 3] = np.arange(100)
    grey = found[..., [0, 3]] if channels == 4 else found[..., :1]
    assert read(pixels, found) == as_picture(pixels, grey)


@pytest.mark.parametrize("place", [(0, 0, 0), (HEIGHT - 1, WIDTH - 1, 1), (HEIGHT // 2, 7, 2)])
def test_one_toned_pixel_makes_a_toned_photograph(pixels: ModuleType, place: tuple[int, int, int]) -> None:
    found = photograph(3, 8)
    found[place] += 1
    assert read(pixels, found) == as_picture(pixels, found)


@pytest.mark.parametrize(
    ("base", "channels", "depth"), [("GRAY", 1, 8), ("GRAY", 2, 8), ("RGB", 1, 16), ("RGB", 2, 16)]
)
def test_grey_images_and_deep_ones_are_sent_as_luminance(
    pixels: ModuleType, base: str, channels: int, depth: int
) -> None:
    """16 bits of it are fine enough for any tone."""
    found = photograph(channels, depth)
    assert read(pixels, found, base) == as_picture(pixels, found)


@pytest.mark.parametrize("found", [toned(4), photograph(4, 8), photograph(2, 16)], ids=["toned", "grey", "deep"])
def test_a_transparent_layer_is_refused_in_words(pixels: ModuleType, found: np.ndarray) -> None:
    found = found.copy()
    found[..., -1] = 0
    with pytest.raises(pixels.RefusalError, match="every pixel is transparent"):
        read(pixels, found)


@pytest.fixture(params=[(1, 8), (2, 8), (1, 16), (2, 16), (3, 8), (4, 8)], ids=str)
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


@pytest.mark.parametrize(("channels", "depth"), [(2, 8), (2, 16), (4, 8)])
def test_alpha_that_is_all_zero_is_seen(pixels: ModuleType, channels: int, depth: int) -> None:
    """Whatever lies under it; in 16 bits either byte of alpha counts."""
    sample = depth // 8
    size = channels * sample
    clear = (b"\x68" * (size - sample) + b"\0" * sample) * 100
    assert pixels.Picture(clear, channels, depth).is_clear
    for byte in range(sample):
        touched = bytearray(clear)
        touched[size * 50 + size - sample + byte] = 1
        assert not pixels.Picture(bytes(touched), channels, depth).is_clear


@pytest.mark.parametrize("channels", [1, 3])
def test_black_without_alpha_is_not_clear(pixels: ModuleType, channels: int) -> None:
    assert not pixels.Picture(bytes(300), channels, 8).is_clear
