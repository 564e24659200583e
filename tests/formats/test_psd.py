"""PSD and PSB as others read them (psd-tools, ImageMagick): layers, names, depth, and the merged picture."""

import io
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from colorize_server.formats.embedded import read_embedded
from colorize_server.formats.encode import srgb_profile
from colorize_server.formats.psd import ALPHA, BLUE, GREEN, RED, Blend, Document, Layer, group, write_psd
from colorize_server.picture.photograph import Metadata
from hypothesis import given, settings
from hypothesis import strategies as st
from psd_tools import PSDImage
from psd_tools.constants import Resource

RNG = np.random.default_rng(0)
POLICY = """<policymap><policy domain="resource" name="width" value="64KP"/></policymap>"""
needs_imagemagick = pytest.mark.skipif(shutil.which("convert") is None, reason="ImageMagick is not installed")


def noise(height: int, width: int, channels: int, dtype: type = np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)


def planes(pixels: np.ndarray) -> dict[int, np.ndarray]:
    named = {RED: pixels[..., 0], GREEN: pixels[..., 1], BLUE: pixels[..., 2]}
    return named | ({ALPHA: pixels[..., 3]} if pixels.shape[2] == 4 else {})


def written(document: Document, **options: bool) -> bytes:
    stream = io.BytesIO()
    write_psd(stream, document, **options)
    return stream.getvalue()


def samples(layer: object, dtype: type) -> np.ndarray:
    """Return what psd-tools reads of a layer, exactly."""
    values = layer.numpy()  # type: ignore[attr-defined]
    return np.rint(values.astype(np.float64) * np.iinfo(dtype).max).astype(dtype)


NAMES = ["Photograph", "Großmutter, um 1870", "祖母の写真", "ä" * 300, "🌄 dawn", ""]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("psb", [False, True])
def test_psd_tools_reads_every_sample_and_name(dtype: type, psb: bool) -> None:
    first, second = noise(20, 31, 3, dtype), noise(20, 31, 4, dtype)
    layers = [
        Layer(NAMES[0], planes(first)),
        *group("Gruppe 群", [Layer(name, planes(second), Blend.COLOR) for name in NAMES[1:5]]),
        Layer(NAMES[5], is_hidden=True),
    ]
    opened = PSDImage.open(io.BytesIO(written(Document(first, layers, srgb_profile()), psb=psb)))
    assert opened.version == (2 if psb else 1)
    assert opened.depth == 8 * np.dtype(dtype).itemsize
    base, colours, empty = opened
    np.testing.assert_array_equal(samples(base, dtype), first)
    assert colours.is_group()
    assert (colours.name, colours.blend_mode.name) == ("Gruppe 群", "PASS_THROUGH")
    assert [layer.name for layer in colours] == NAMES[1:5]
    for layer in colours:
        assert layer.blend_mode.name == "COLOR"
        np.testing.assert_array_equal(samples(layer, dtype), second)
    assert (empty.name, empty.visible, empty.bbox) == ("", False, (0, 0, 0, 0))
    np.testing.assert_array_equal(samples(opened, dtype)[..., :3], first)
    assert opened.image_resources.get_data(Resource.ICC_PROFILE) == srgb_profile()
    assert opened.image_resources.get_data(Resource.VERSION_INFO).has_composite


def test_grey_is_one_plane_under_three_numbers() -> None:
    grey = noise(40, 50, 1)
    shown = np.broadcast_to(grey, (40, 50, 3))
    opened = PSDImage.open(io.BytesIO(written(Document(shown, [Layer("grey", planes(shown))], srgb_profile()))))
    np.testing.assert_array_equal(samples(opened[0], np.uint8), shown)


def test_bytes_are_widened_in_a_document_of_16_bits() -> None:
    merged, bytes_ = noise(9, 10, 3, np.uint16), noise(9, 10, 4)
    opened = PSDImage.open(io.BytesIO(written(Document(merged, [Layer("hints", planes(bytes_))], srgb_profile()))))
    np.testing.assert_array_equal(samples(opened[0], np.uint16), bytes_.astype(np.uint16) * 257)


def test_metadata_stand_in_their_resources() -> None:
    metadata = Metadata(dpi=(600.0, 300.0), exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=b"<x/>", iptc=b"\x1c\x02\x05\0\1a")
    document = Document(noise(8, 8, 3), [], srgb_profile(), metadata)
    data = written(document)
    assert read_embedded(data) == (b"<x/>", b"\x1c\x02\x05\0\1a")
    resources = PSDImage.open(io.BytesIO(data)).image_resources
    resolution = resources.get_data(Resource.RESOLUTION_INFO)
    assert (resolution.horizontal / 65536, resolution.vertical / 65536) == (600, 300)
    assert resources.get_data(Resource.EXIF_DATA_1) == metadata.exif


@needs_imagemagick
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("psb", [False, True])
def test_imagemagick_reads_merged_picture_and_layers(tmp_path: Path, dtype: type, channels: int, psb: bool) -> None:
    first, second = noise(12, 17, channels, dtype), noise(12, 17, 3, dtype)
    if channels == 4:
        first[..., 3] |= np.iinfo(dtype).max // 2 + 1  # where it is all but transparent, colour cannot come back
    path = tmp_path / ("x.psb" if psb else "x.psd")
    layers = [Layer("a", planes(first)), Layer("b", planes(second), Blend.COLOR), Layer("empty")]
    path.write_bytes(written(Document(first, layers, srgb_profile()), psb=psb))
    one_level = 1 if dtype == np.uint8 else 2
    for number, expected, tolerance in ((0, first, one_level), (1, first, 0), (2, second, 0)):
        got = by_imagemagick(path, number, expected.shape, dtype)
        assert np.abs(got.astype(np.int64) - expected.astype(np.int64)).max() <= tolerance, number


def by_imagemagick(path: Path, number: int, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Return picture `number` of a file, 0 the merged one."""
    kind = "rgba" if shape[2] == 4 else "rgb"
    depth = str(8 * np.dtype(dtype).itemsize)
    command = ["convert", f"{path}[{number}]", "-depth", depth, "-endian", "LSB", f"{kind}:-"]
    environment = os.environ | {"MAGICK_CONFIGURE_PATH": str(path.parent)}  # Debian's policy ends at 16,000 pixels
    (path.parent / "policy.xml").write_text(POLICY)
    raw = subprocess.run(command, capture_output=True, check=True, env=environment).stdout
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)


@needs_imagemagick
def test_a_side_of_31000_pixels_is_a_psb(tmp_path: Path) -> None:
    pixels = noise(9, 31_000, 3)
    document = Document(pixels, [Layer("wide", planes(pixels))], srgb_profile())
    assert document.needs_psb
    data = written(document)
    assert struct.unpack_from(">4sH6xHIIHH", data) == (b"8BPS", 2, 3, 9, 31_000, 8, 3)
    path = tmp_path / "wide.psb"
    path.write_bytes(data)
    np.testing.assert_array_equal(by_imagemagick(path, 1, pixels.shape, np.uint8), pixels)


def test_what_may_grow_beyond_2_gb_is_a_psb() -> None:
    shown = np.broadcast_to(np.uint16(7), (12_000, 12_000, 3))
    document = Document(shown, [Layer("a", planes(shown)), Layer("b", planes(shown))], srgb_profile())
    assert document.needs_psb
    assert not Document(shown, [Layer("a", planes(shown))], srgb_profile()).needs_psb


LAYERS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
        st.sampled_from([0, 1, 3, 4]),
        st.sampled_from([Blend.NORMAL, Blend.COLOR]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([3, 4]),
    st.sampled_from([np.uint8, np.uint16]),
    LAYERS,
    st.booleans(),
)
def test_any_document_is_read_back(
    height: int, width: int, channels: int, dtype: type, wanted: list, psb: bool
) -> None:
    merged = noise(height, width, channels, dtype)
    layers = []
    for name, n_channels, blend, is_hidden, is_clipped in wanted:
        pixels = noise(height, width, n_channels or 3, dtype)
        pixels = np.broadcast_to(pixels, (height, width, 3)) if n_channels == 1 else pixels
        layers.append(
            Layer(name, planes(pixels) if n_channels else {}, blend, is_hidden=is_hidden, is_clipped=is_clipped)
        )
    opened = PSDImage.open(io.BytesIO(written(Document(merged, layers, srgb_profile()), psb=psb)))
    assert opened.size == (width, height)
    found = list(opened)
    assert [layer.name for layer in found] == [layer.name for layer in layers]
    for layer, expected in zip(found, layers, strict=True):
        assert layer.visible is not expected.is_hidden
        assert layer.blend_mode.value == expected.blend.value
        if expected.planes:
            got = samples(layer, dtype)
            for channel, plane in expected.planes.items():
                np.testing.assert_array_equal(got[..., 3 if channel == ALPHA else channel], plane)
