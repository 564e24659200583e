"""TIFF as scanners and Photoshop write it: alpha, counting from white, channels too many, and the memory it takes."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import tifffile
from colorize_server.errors import PictureError
from colorize_server.formats.decode import decode_picture


def written(values: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_counting_from_white_leaves_alpha_alone(dtype: type, compression: str | None) -> None:
    top = np.iinfo(dtype).max
    values = np.random.default_rng(0).integers(0, top + 1, (20, 30, 2)).astype(dtype)
    stored = np.stack([top - values[..., 0], values[..., 1]], axis=-1)
    data = written(
        stored, photometric="miniswhite", planarconfig="contig", extrasamples=["unassalpha"], compression=compression
    )
    np.testing.assert_array_equal(decode_picture(data).pixels, values)


def test_premultiplied_16_bits_are_made_straight_within_the_memory_that_was_checked() -> None:
    """24 bytes a pixel are what the check before decoding reckons with."""
    values = np.random.default_rng(0).integers(0, 65536, (500, 2000, 4)).astype(np.uint16)
    values[..., :3] = np.minimum(values[..., :3], values[..., 3:])
    values[0, 0], values[0, 1] = 0, 65535
    data = written(values, photometric="rgb", extrasamples=["assocalpha"])
    tracemalloc.start()
    try:
        got = decode_picture(data).pixels
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 24 * 500 * 2000 + (16 << 20)
    alpha = values[..., 3:].astype(np.float64)
    expected = np.where(alpha > 0, values[..., :3] * 65535.0 / np.maximum(alpha, 1), 0)
    assert np.abs(got[..., :3] - expected).max() <= 0.5
    np.testing.assert_array_equal(got[..., 3], values[..., 3])


def test_colours_brighter_than_their_alpha_are_clipped() -> None:
    stored = np.full((16, 16, 4), (200, 100, 0, 100), np.uint8)
    got = decode_picture(written(stored, photometric="rgb", extrasamples=["assocalpha"])).pixels
    np.testing.assert_array_equal(got[0, 0], [255, 255, 0, 100])


def test_too_many_channels_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(PictureError, match="has 500 channels") as caught:
        decode_picture(written(np.zeros((64, 64, 500), np.uint8), photometric="minisblack", planarconfig="contig"))
    assert caught.value.code == "unsupported_media_type"
    five = written(np.full((16, 16, 5), 7, np.uint8), photometric="rgb", planarconfig="contig")
    assert decode_picture(five).pixels.shape == (16, 16, 3)


def packed(values: np.ndarray, bits: int, *, order: str = "<", photometric: int = 1, kind: int = 1) -> bytes:
    """Write grey samples of any number of bits by hand: packed from the highest bit on, each row from a new byte."""
    height, width = values.shape
    places = np.arange(bits - 1, -1, -1)
    spread = (values[..., None].astype(np.int64) >> places) & 1
    rows = np.packbits(spread.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    if bits == 16:
        rows = values.astype(f"{order}u2").tobytes()
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 0), (277, 1), (278, height),
            (279, len(rows)), (339, kind)]  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, value in tags:
        data += struct.pack(f"{order}HHII", tag, 4, 1, start if tag == 273 else value)
    return data + struct.pack(f"{order}I", 0) + rows


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_scans_of_10_to_16_bits_keep_their_brightness(bits: int, photometric: int, order: str) -> None:
    top = (1 << bits) - 1
    values = np.random.default_rng(0).integers(0, top + 1, (9, 20))
    values[0, :2] = 0, top
    stored = top - values if photometric == 0 else values
    got = decode_picture(packed(stored, bits, order=order, photometric=photometric)).pixels
    assert got.dtype == np.uint16
    assert np.abs(got[..., 0] - values * 65535.0 / top).max() <= 0.5


@pytest.mark.parametrize(
    ("bits", "kind", "named"), [(16, 2, "16 bits of signed"), (8, 2, "8 bits of signed"), (17, 1, "17 bits of")]
)
def test_samples_of_other_kinds_are_refused_in_words(bits: int, kind: int, named: str) -> None:
    with pytest.raises(PictureError, match=named) as caught:
        decode_picture(packed(np.zeros((9, 20), np.uint16), bits, kind=kind))
    assert caught.value.hint == "Save it with 8 or 16 bits a channel."


def test_an_orientation_that_is_written_twice_counts_once() -> None:
    values = np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)
    data = bytearray(written(values, photometric="minisblack", extratags=[(65000, "H", 2, (6, 1), True)]))
    place = data.index(struct.pack("<HHI", 65000, 3, 2))
    struct.pack_into("<H", data, place, 274)
    np.testing.assert_array_equal(decode_picture(bytes(data)).pixels[..., 0], np.rot90(values, -1))


def test_a_picture_of_many_layers_is_refused_in_words() -> None:
    """A volume, as tomography writes it, is no photograph."""
    volume = written(np.zeros((32, 64, 64), np.uint8), volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    with pytest.raises(PictureError, match="is 32 layers deep") as caught:
        decode_picture(volume)
    assert caught.value.code == "unsupported_media_type"
