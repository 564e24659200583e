"""Scans whose tags, profiles or directories are unusual; expected values are the raw samples, or LittleCMS's."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from colorize_server.errors import PictureError
from colorize_server.formats.decode import decode_picture
from PIL import Image, ImageCms

RAMP = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))
COLOURS = np.stack([RAMP, RAMP[:, ::-1], RAMP // 2], axis=-1)


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


def retagged(data: bytes, tag: int, *, code: int | None = None, dtype: int | None = None) -> bytes:
    """Return a little-endian TIFF with another number or type for a tag of its first directory."""
    changed = bytearray(data)
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<H", changed, entry, code or tag)
            struct.pack_into("<H", changed, entry + 2, dtype or struct.unpack_from("<H", data, entry + 2)[0])
            return bytes(changed)
    raise AssertionError(f"no tag {tag}")


def linear_profile() -> bytes:
    """Return an RGB profile with sRGB's primaries and gamma 1.0."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        if name.endswith(b"TRC"):
            profile[offset : offset + 12] = b"curv" + bytes(8)
            struct.pack_into(">I", profile, 136 + 12 * index + 4, 12)
    return bytes(profile)


def srgb_by_littlecms(rgb: np.ndarray, profile: bytes) -> np.ndarray:
    image = ImageCms.profileToProfile(Image.fromarray(rgb), io.BytesIO(profile), ImageCms.createProfile("sRGB"))
    return np.asarray(image)


def srgb_of(data: bytes) -> np.ndarray:
    photograph = decode_picture(data)
    linear = np.moveaxis(photograph.linear_rgb(0, photograph.height), 0, -1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055) * 255


def test_a_reduced_first_directory_is_passed_over_for_the_whole_picture() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOURS[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(COLOURS, photometric="rgb", metadata=None)
    np.testing.assert_array_equal(decode_picture(file.getvalue()).pixels, COLOURS)


def test_a_whole_picture_in_a_subifd_is_found() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOURS[::4, ::4], photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(COLOURS, photometric="rgb", metadata=None)
    np.testing.assert_array_equal(decode_picture(file.getvalue()).pixels, COLOURS)


def test_a_palette_behind_a_reduced_copy_is_read_from_its_own_directory() -> None:
    table = np.zeros((3, 256), np.uint16)
    table[0], table[1] = np.arange(256) * 257, np.arange(256)[::-1] * 257
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOURS[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(RAMP, photometric="palette", colormap=table, metadata=None)
    np.testing.assert_array_equal(decode_picture(file.getvalue()).pixels, (table.T // 257)[RAMP])


def test_a_camera_raw_is_refused_by_name() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(COLOURS[::4, ::4], photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        writer.write(RAMP.astype(np.uint16), photometric="cfa", metadata=None)
    with pytest.raises(PictureError, match="camera or scanner raw"):
        decode_picture(file.getvalue())


def test_a_palette_of_8_bit_entries_keeps_its_colours() -> None:
    table = np.zeros((3, 256), np.uint16)
    table[0], table[1] = np.arange(256), np.arange(256)[::-1]
    pixels = decode_picture(tiff(RAMP, photometric="palette", colormap=table)).pixels
    np.testing.assert_array_equal(pixels, table.T[RAMP])


@pytest.mark.parametrize("indexed", [False, True])
def test_a_grey_picture_with_an_rgb_profile_is_read_through_it(indexed: bool) -> None:
    image = Image.fromarray(RAMP)
    file = io.BytesIO()
    (image.convert("P") if indexed else image).save(
        file, "TIFF" if not indexed else "PNG", icc_profile=linear_profile()
    )
    expected = srgb_by_littlecms(np.repeat(RAMP[..., None], 3, axis=-1), linear_profile())
    assert np.abs(srgb_of(file.getvalue()) - expected).max() < 1.5


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_transparent_level_of_a_grey_png_of_few_bits(depth: int) -> None:
    levels = np.arange(8, dtype=np.uint8)[None] % (1 << depth)
    bits = np.unpackbits(levels[..., None], axis=-1)[..., 8 - depth :]
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 8, 1, depth, 0, 0, 0, 0),
        b"tRNS": struct.pack(">H", 1),
        b"IDAT": zlib.compress(b"\0" + np.packbits(bits).tobytes()),
        b"IEND": b"",
    }
    png = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks.items():
        png += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    np.testing.assert_array_equal(decode_picture(png).pixels[..., -1], np.where(levels == 1, 0, 255))


def test_three_samples_without_photometric_interpretation_are_rgb() -> None:
    data = retagged(tiff(COLOURS, photometric="rgb"), 262, code=263)
    np.testing.assert_array_equal(decode_picture(data).pixels, COLOURS)


@pytest.mark.parametrize("dtype", [1, 7])
@pytest.mark.parametrize("palette", [False, True])
def test_orientation_written_as_bytes_turns_the_picture(dtype: int, palette: bool) -> None:
    tags = [(274, 3, 1, 6, True)]
    if palette:
        table = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
        data = tiff(RAMP, photometric="palette", colormap=table, extratags=tags)
    else:
        data = tiff(RAMP, photometric="minisblack", extratags=tags)
    pixels = decode_picture(retagged(data, 274, dtype=dtype)).pixels
    np.testing.assert_array_equal(pixels[..., 0], np.rot90(RAMP, -1))
