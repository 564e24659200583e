"""Pictures from and to files: every kind that is promised, at its depth, with its profile, turned upright."""

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from colorize_server.color.rgb import ADOBE_RGB, SRGB, RgbSpace
from colorize_server.errors import ColorizeError, HintsError, PictureError
from colorize_server.formats.decode import PictureLimits, decode_hints, decode_picture, media_type_of
from colorize_server.formats.encode import encode_grey, encode_picture, srgb_profile
from colorize_server.picture.photograph import Metadata
from hypothesis import given, settings
from hypothesis import strategies as st
from icc_profiles import grey_profile
from PIL import Image

RNG = np.random.default_rng(0)


def pixels(channels: int, dtype: type = np.uint8, height: int = 20, width: int = 30) -> np.ndarray:
    values = RNG.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
    return values


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png16(values: np.ndarray, chunks: bytes = b"") -> bytes:
    """Write a 16-bit PNG by hand, so that the decoder is not tested with its own encoder."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def icc_chunk(profile: bytes) -> bytes:
    data = b"p\0\0" + zlib.compress(profile)
    return struct.pack(">I", len(data)) + b"iCCP" + data + struct.pack(">I", zlib.crc32(b"iCCP" + data))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_8_bit_png_comes_through_unchanged(mode: str) -> None:
    values = pixels(len(mode))
    photograph = decode_picture(saved(Image.fromarray(values.squeeze(), mode), "PNG"))
    np.testing.assert_array_equal(photograph.pixels, values)
    assert photograph.profile.name == "srgb"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_keeps_all_its_bits(channels: int) -> None:
    values = pixels(channels, np.uint16)
    np.testing.assert_array_equal(decode_picture(png16(values)).pixels, values)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiff_keeps_all_its_bits(channels: int, dtype: type, planar: str) -> None:
    values = pixels(channels, dtype)
    stream = io.BytesIO()
    stored = values if channels > 1 else values[..., 0]
    if planar == "separate" and channels > 1:
        stored = np.moveaxis(values, -1, 0)
    tifffile.imwrite(
        stream,
        stored,
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig=planar if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="lzw",
    )
    np.testing.assert_array_equal(decode_picture(stream.getvalue()).pixels, values)


def test_tiff_that_counts_from_white_is_turned_round() -> None:
    values = pixels(1)
    stream = io.BytesIO()
    tifffile.imwrite(stream, 255 - values[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(decode_picture(stream.getvalue()).pixels, values)


def test_premultiplied_tiff_is_made_straight() -> None:
    stream = io.BytesIO()
    stored = np.array([[[50, 100, 25, 128], [0, 0, 0, 0]] * 8] * 8, np.uint8)
    tifffile.imwrite(stream, stored, photometric="rgb", extrasamples=["assocalpha"])
    got = decode_picture(stream.getvalue()).pixels[0, 0]
    np.testing.assert_array_equal(got, [100, 199, 50, 128])


def test_floating_point_tiff_is_refused_in_words() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.full((20, 20), np.nan, np.float32))
    with pytest.raises(PictureError, match="32 bits of floating point") as caught:
        decode_picture(stream.getvalue())
    assert caught.value.code == "unsupported_media_type"


def test_palette_bilevel_and_cmyk_are_read() -> None:
    grey = Image.fromarray(pixels(1)[..., 0])
    assert decode_picture(saved(grey.convert("P"), "PNG")).pixels.shape[2] == 1
    colour = Image.fromarray(pixels(3))
    assert decode_picture(saved(colour.quantize(16), "PNG")).pixels.shape[2] == 3
    bilevel = decode_picture(saved(grey.convert("1"), "TIFF")).pixels
    assert set(np.unique(bilevel)) <= {0, 255}
    cmyk = decode_picture(saved(Image.new("CMYK", (20, 20), (0, 0, 0, 0)), "JPEG")).pixels
    assert cmyk.min() > 245
    black = decode_picture(saved(Image.new("CMYK", (20, 20), (0, 0, 0, 255)), "TIFF")).pixels
    assert black.max() < 60


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_the_summary_says_that_a_scan_was_cmyk(run, tmp_path: Path, kind: str, capsys) -> None:
    scan = tmp_path / f"scan.{kind.lower()}"
    scan.write_bytes(saved(Image.new("CMYK", (40, 30), (9, 8, 7, 60)), kind))
    assert run(scan) == 0
    printed = capsys.readouterr()
    assert "It was CMYK" in printed.out + printed.err


def test_webp_and_jpeg_are_read() -> None:
    values = np.full((20, 30, 3), 77, np.uint8)
    np.testing.assert_array_equal(decode_picture(saved(Image.fromarray(values), "WEBP", lossless=True)).pixels, values)
    jpeg = decode_picture(saved(Image.fromarray(values), "JPEG", quality=95)).pixels
    assert np.abs(jpeg.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG16", "TIFF", "TIFF 1", "TIFF 1 packed", "TIFF CMYK"])
def test_exif_orientation_is_applied_and_reset(orientation: int, kind: str) -> None:
    """A picture with one bright corner ends upright whatever the camera wrote, and says so."""
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 255
    if "1" in kind.split():
        upright[:4, 8:16] = 255
    else:
        upright[:8, 16:] = 128
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Ernemann"
    turned = np.ascontiguousarray(turned)
    if kind == "PNG16":
        block = exif.tobytes().removeprefix(b"Exif\0\0")
        data = png16(
            turned[..., None].astype(np.uint16) * 257, struct.pack(">I", len(block)) + b"eXIf" + block + b"\0" * 4
        )
        broken = data.index(b"eXIf")
        crc = zlib.crc32(data[broken : broken + 4 + len(block)])
        data = data[: broken + 4 + len(block)] + struct.pack(">I", crc) + data[broken + 8 + len(block) :]
    elif kind == "TIFF":
        stream = io.BytesIO()
        tifffile.imwrite(stream, turned, extratags=[(274, "H", 1, orientation, True), (271, "s", 0, "Ernemann", True)])
        data = stream.getvalue()
    elif kind.startswith("TIFF"):  # what goes through Pillow, which turns these upright by itself
        image = Image.fromarray(turned).convert(kind.split()[1])
        compression = "group4" if "packed" in kind else None
        data = saved(image, "TIFF", exif=exif, dpi=(100, 200), compression=compression)
        assert decode_picture(data).metadata.dpi == ((200, 100) if orientation > 4 else (100, 200))
    else:
        data = saved(Image.fromarray(turned), "JPEG", quality=100, exif=exif.tobytes())
    photograph = decode_picture(data)
    got = photograph.pixels[..., 0] / (photograph.levels - 1) * 255
    assert got.shape == (16, 24)
    assert np.abs(got - upright).mean() < 4
    kept = Image.Exif()
    kept.load(b"Exif\0\0" + (photograph.metadata.exif or b""))
    assert kept.get(0x0112, 1) == 1
    assert kept.get(0x010F) == "Ernemann"


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_profile_decides_the_lightness(depth: int) -> None:
    """The same code under Gray Gamma 2.2 and under a dot-gain-like table has the lightness that the profile says."""
    table = np.linspace(0, 1, 256) ** 1.5
    for profile, expected in ((grey_profile(gamma=2.2), 0.5**2.19921875), (grey_profile(table=table), 0.5**1.5)):
        if depth == 8:
            data = saved(Image.fromarray(np.full((16, 16), 128, np.uint8)), "PNG", icc_profile=profile)
        else:
            data = png16(np.full((16, 16, 1), 32896, np.uint16), icc_chunk(profile))
        light = decode_picture(data).lightness(0, 16)
        y = expected * (128 / 255 / 0.5) ** (np.log(expected) / np.log(0.5))
        assert light[0, 0] == pytest.approx(116 * np.cbrt(y) - 16, abs=0.05)


def test_a_profile_that_needs_tables_goes_through_littlecms() -> None:
    """A Lab-connected grey profile cannot be read as a curve; the picture is still converted, not passed by."""
    lab_profile = bytearray(grey_profile(gamma=1.0))
    lab_profile[20:24] = b"Lab "
    values = np.full((16, 16), 128, np.uint8)
    photograph = decode_picture(saved(Image.fromarray(values), "PNG", icc_profile=bytes(lab_profile)))
    # The curve leads to L* here: code 128 is L* 50, which sRGB writes as 119.
    assert abs(int(photograph.pixels[0, 0, 0]) - 119) <= 2


def test_a_profile_of_the_wrong_kind_or_a_damaged_one_is_ignored() -> None:
    grey = Image.fromarray(pixels(1)[..., 0])
    coloured = Image.fromarray(pixels(3))
    assert decode_picture(saved(coloured, "PNG", icc_profile=grey_profile(gamma=1.8))).profile is SRGB
    assert decode_picture(saved(grey, "PNG", icc_profile=b"x" * 200)).profile.name == "srgb"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("media_type", ["image/png", "image/tiff"])
def test_written_files_read_back_to_the_bit(dtype: type, channels: int, media_type: str) -> None:
    """Pixels, depth, alpha, resolution, EXIF and the sRGB tag all survive."""
    exif = Image.Exif()
    exif[0x010F] = "Voigtlaender"
    metadata = Metadata(dpi=(600.0, 600.0), exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    values = pixels(channels, dtype)
    data = encode_picture(values, metadata, media_type)
    back = decode_picture(data)
    np.testing.assert_array_equal(back.pixels, values)
    assert back.metadata.dpi == pytest.approx((600, 600), abs=0.02)
    kept = Image.Exif()
    kept.load(b"Exif\0\0" + (back.metadata.exif or b""))
    assert kept.get(0x010F) == "Voigtlaender"
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info["icc_profile"] == srgb_profile()


def test_jpeg_is_444_and_of_quality_95() -> None:
    values = np.zeros((16, 16, 3), np.uint8)
    values[:, ::2] = (255, 0, 0)
    data = encode_picture(values, Metadata(), "image/jpeg")
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.layer[0][1:3] == (1, 1)
        assert opened.layer[1][1:3] == (1, 1)
        # Red columns of one pixel survive: chroma was not halved.
        assert np.asarray(opened)[8, 0, 0] > 240
        assert np.asarray(opened)[8, 1, 0] < 15
        assert max(opened.quantization[0]) <= 12


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_damaged_exif_block_does_not_cost_the_picture(kind: str) -> None:
    image = Image.fromarray(pixels(3).astype(np.uint8))
    for block in (b"Exif\0\0nothing that makes sense", b"Exif\0\0II*\0\xff\xff\xff\x7f"):
        photograph = decode_picture(saved(image, kind, exif=block))
        assert photograph.pixels.shape == (20, 30, 3)
        assert photograph.metadata.exif is None


def test_a_resolution_that_is_no_number_does_not_cost_a_jpeg() -> None:
    """Pillow reads it while it opens the file, and then takes the file for no JPEG."""
    tags = struct.pack("<HHHII", 1, 282, 2, 2, 0) + bytes(4)  # XResolution as a text of two letters
    data = saved(Image.fromarray(pixels(3)), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + tags)
    at = data.index(b"JFIF\0")
    data = data[: at + 7] + b"\0" + data[at + 8 :]  # no density of JFIF's own
    assert decode_picture(data).pixels.shape == (20, 30, 3)


def test_a_profile_of_more_than_a_megabyte_in_a_png_does_not_cost_the_picture() -> None:
    """Those that hold tables are as long; this one is damaged, which makes it as good as none."""
    values = pixels(3)
    profile = RNG.integers(0, 256, 3_000_000).astype(np.uint8).tobytes()
    deep = png16(values.astype(np.uint16) * 257, icc_chunk(profile))
    for data in (saved(Image.fromarray(values), "PNG", icc_profile=profile), deep):
        assert decode_picture(data).pixels.shape == values.shape


def test_a_thumbnail_is_dropped() -> None:
    """The old thumbnail would show the picture grey."""
    thumbnail = saved(Image.new("L", (16, 16), 99), "JPEG")
    exif = Image.Exif()
    exif[0x010F] = "X"
    block = bytearray(exif.tobytes())
    block += thumbnail
    photograph = decode_picture(saved(Image.new("L", (20, 20)), "JPEG", exif=bytes(block)))
    assert photograph.metadata.exif is not None
    assert thumbnail[:8] not in photograph.metadata.exif


def test_hints_need_a_png_with_transparency() -> None:
    rgba = pixels(4)
    np.testing.assert_array_equal(decode_hints(saved(Image.fromarray(rgba), "PNG")), rgba)
    np.testing.assert_array_equal(decode_hints(png16(rgba.astype(np.uint16) * 257)), rgba)
    grey_alpha = decode_hints(saved(Image.fromarray(pixels(2), "LA"), "PNG"))
    assert grey_alpha.shape[2] == 4
    with pytest.raises(HintsError, match="no transparency"):
        decode_hints(saved(Image.fromarray(pixels(3)), "PNG"))
    with pytest.raises(HintsError, match="not a PNG"):
        decode_hints(saved(Image.fromarray(pixels(3)), "JPEG"))


@pytest.mark.parametrize(("name", "space"), [("adobergb", ADOBE_RGB), ("srgb", SRGB)], ids=["adobe", "srgb"])
@pytest.mark.parametrize("depth", [8, 16])
def test_hints_are_converted_from_their_profile(name: str, space: RgbSpace, depth: int) -> None:
    """A stroke looks as it was painted, whatever space its program works in; alpha stays."""
    rgba = pixels(4)
    icc = bytes(imagecodecs.cms_profile(name))
    if depth == 8:
        got = decode_hints(saved(Image.fromarray(rgba), "PNG", icc_profile=icc))
    else:
        got = decode_hints(png16(rgba.astype(np.uint16) * 257, icc_chunk(icc)))
    expected = np.clip(SRGB.encoded_from_lab(space.lab_from_encoded(rgba[..., :3] / 255)), 0, 1) * 255
    assert np.abs(got[..., :3] - expected).max() < 1.6
    np.testing.assert_array_equal(got[..., 3], rgba[..., 3])


def test_grey_hints_are_converted_from_their_profile() -> None:
    grey = Image.fromarray(np.full((16, 16, 2), (128, 200), np.uint8), "LA")
    got = decode_hints(saved(grey, "PNG", icc_profile=grey_profile(gamma=1.0)))
    np.testing.assert_array_equal(got[0, 0], [188, 188, 188, 200])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello, painter", "Save it as a PNG, JPEG, TIFF or WebP"),
        (saved(Image.new("L", (9, 9)), "PPM"), "Save it as a PNG"),
        (saved(Image.fromarray(pixels(3, height=99, width=99)), "PNG")[:9000], "damaged or cut off"),
        (saved(Image.fromarray(pixels(3, height=200, width=200)), "JPEG")[:2000], "cut off"),
        (saved(Image.fromarray(pixels(3, height=99, width=99)), "TIFF")[:3000], "cut off"),
        (saved(Image.fromarray(pixels(3)), "WEBP")[:100], "damaged or cut off"),
        (png16(pixels(3, np.uint16))[:200], "damaged or cut off"),
    ],
    ids=["empty", "text", "ppm", "png", "jpeg", "tiff", "webp", "png16"],
)
def test_what_is_no_picture_is_refused_in_words(data: bytes, message: str) -> None:
    with pytest.raises(PictureError, match=message):
        decode_picture(data)


def test_a_picture_of_no_pixels_is_refused_in_words() -> None:
    header = struct.pack(">IIBBBBB", 0, 20, 16, 0, 0, 0, 0)
    data = png16(pixels(1, np.uint16))
    empty = data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]
    with pytest.raises(PictureError, match=r"no pixels|damaged"):
        decode_picture(empty)


def test_a_file_that_is_not_what_it_claims_is_refused() -> None:
    with pytest.raises(PictureError, match="is image/png, not image/jpeg"):
        decode_picture(saved(Image.new("L", (9, 9)), "PNG"), "image/jpeg")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_too_large_a_picture_is_refused_before_it_is_decoded(kind: str) -> None:
    data = saved(Image.new("L" if kind != "WEBP" else "RGB", (400, 300)), kind)
    with pytest.raises(PictureError, match="400 by 300 pixels is too large") as caught:
        decode_picture(data, limits=PictureLimits(max_pixels=100_000))
    assert caught.value.status == 413
    with pytest.raises(PictureError, match="too large"):
        decode_picture(data, limits=PictureLimits(max_side=399))


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    """A PNG of 60,000 x 60,000 in a few hundred bytes never gets as far as memory."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = png16(pixels(1, np.uint16))
    bomb = data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]
    with pytest.raises(PictureError, match="too large"):
        decode_picture(bomb)


FORMATS = {
    "png8": saved(Image.fromarray(pixels(4)), "PNG"),
    "png16": png16(pixels(3, np.uint16), icc_chunk(grey_profile(gamma=2.2))),
    "jpeg": saved(Image.fromarray(pixels(3)), "JPEG", exif=Image.Exif().tobytes()),
    "webp": saved(Image.fromarray(pixels(3)), "WEBP"),
    "tiff": saved(Image.fromarray(pixels(3)), "TIFF", compression="tiff_lzw"),
}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 2**31), st.integers(1, 12), st.floats(0.2, 1))
def test_damaged_files_give_a_picture_or_a_sentence(name: str, seed: int, flips: int, keep: float) -> None:
    """Flipped bits and cut ends of every format: never another exception."""
    rng = np.random.default_rng(seed)
    data = bytearray(FORMATS[name])
    for at, bit in zip(rng.integers(0, len(data), flips), rng.integers(0, 8, flips), strict=True):
        data[at] ^= 1 << int(bit)
    refusal = None
    try:
        photograph = decode_picture(bytes(data[: int(len(data) * keep)]), limits=PictureLimits(max_pixels=10_000_000))
    except ColorizeError as error:
        refusal = error.message
    assert refusal.endswith(".") if refusal else photograph.pixels.size > 0


def test_doubt_is_a_grey_png() -> None:
    levels = pixels(1)[..., 0]
    np.testing.assert_array_equal(decode_picture(encode_grey(levels)).pixels[..., 0], levels)


def test_media_types_are_told_by_content(photographs: Path) -> None:
    for path in photographs.glob("*.jpg"):
        assert media_type_of(path.read_bytes()) == "image/jpeg"
    assert media_type_of(b"P5 9 9 255\n") is None


def test_the_written_profile_is_srgb_in_numbers() -> None:
    data = encode_picture(pixels(3), Metadata(), "image/png")
    profile = decode_picture(data).profile
    colours = np.random.default_rng(0).uniform(size=(100, 3))
    difference = profile.lab_from_encoded(colours) - SRGB.lab_from_encoded(colours)
    assert np.abs(difference).max() < 0.2
