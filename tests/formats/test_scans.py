"""Scans whose tags, profiles or directories are unusual; expected values are the raw samples, or LittleCMS's."""

import contextlib
import io
import struct
import zlib

import imagecodecs
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


def retagged(
    data: bytes, tag: int, *, code: int | None = None, dtype: int | None = None, value: int | None = None
) -> bytes:
    """Return a little-endian TIFF with another number, type or value for a tag of its first directory."""
    changed = bytearray(data)
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<H", changed, entry, code or tag)
            struct.pack_into("<H", changed, entry + 2, dtype or struct.unpack_from("<H", data, entry + 2)[0])
            if value is not None:
                struct.pack_into("<H", changed, entry + 8, value)
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


def test_a_cut_off_jpeg_in_a_tiff_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = bytearray(tiff(noise, photometric="rgb", compression="jpeg"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        start, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    assert decode_picture(bytes(data)).pixels.shape == (64, 64, 3)
    data[start + count // 2 : start + count] = bytes(count - count // 2)
    with pytest.raises(PictureError, match="cut off"):
        decode_picture(bytes(data))


def jpeg_in_tiff() -> bytes:
    return tiff(COLOURS, photometric="rgb", compression="jpeg")


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    return saved(Image.fromarray(pixels), "JPEG", quality=95, **options)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_a_jpeg_that_lacks_its_end_marker_alone_is_read_with_a_remark() -> None:
    whole = jpeg(np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8))
    photograph = decode_picture(whole[:-2])
    np.testing.assert_array_equal(photograph.pixels, decode_picture(whole).pixels)
    assert photograph.remarks == ("The JPEG lacks its end marker; the picture is whole.",)
    assert decode_picture(whole).remarks == ()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("left", [0.5, 0.9, 0.99])
def test_a_jpeg_that_lacks_more_is_refused(left: float, progressive: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    whole = jpeg(noise, progressive=progressive)
    with pytest.raises(PictureError, match="cut off"):
        decode_picture(whole[: int(left * len(whole))])


_ACROSS, _DOWN = np.meshgrid(np.linspace(20, 230, 48), np.linspace(30, 200, 40))
SMOOTH = np.stack([_ACROSS, _DOWN, _ACROSS], axis=-1)
SMOOTH_16 = (SMOOTH * 257).astype(np.uint16)


@pytest.mark.parametrize(
    ("data", "expected", "levels", "tolerance"),
    [
        (imagecodecs.jpeg8_encode((SMOOTH * 16).astype(np.uint16), bitspersample=12, level=98), SMOOTH, 65536, 0.02),
        (imagecodecs.jpeg8_encode(SMOOTH.astype(np.uint8), lossless=True), SMOOTH.astype(np.uint8), 256, 0),
        (
            imagecodecs.jpeg8_encode(SMOOTH_16, bitspersample=16, lossless=True),
            SMOOTH,
            65536,
            1e-4,
        ),
        (imagecodecs.jpegls_encode(SMOOTH.astype(np.uint8)), SMOOTH.astype(np.uint8), 256, 0),
        (imagecodecs.jpegls_encode(SMOOTH_16), SMOOTH, 65536, 1e-4),
    ],
    ids=["12 bits", "lossless", "lossless, 16 bits", "JPEG-LS", "JPEG-LS, 16 bits"],
)
def test_rare_kinds_of_jpeg_are_read_at_their_depth(
    data: bytes, expected: np.ndarray, levels: int, tolerance: float
) -> None:
    photograph = decode_picture(data)
    assert photograph.levels == levels
    assert np.abs(photograph.pixels / (levels - 1) - expected / 255).max() <= tolerance


def test_a_rare_jpeg_keeps_profile_resolution_and_orientation() -> None:
    exif = Image.Exif()
    exif[274] = 6
    donor = jpeg(SMOOTH.astype(np.uint8), icc_profile=linear_profile(), dpi=(300, 300), exif=exif)
    head = donor[2 : donor.index(b"\xff\xdb")]
    data = imagecodecs.jpegls_encode(SMOOTH.astype(np.uint8))
    photograph = decode_picture(data[:2] + head + data[2:])
    np.testing.assert_array_equal(photograph.pixels, np.rot90(SMOOTH.astype(np.uint8), -1))
    assert photograph.metadata.dpi == (300, 300)
    assert photograph.profile.name == "sRGB built-in"


def png_with(pixels: np.ndarray, *chunks: tuple[bytes, bytes], spoil: bytes = b"") -> bytes:
    """Return a PNG with chunks before its pixels; the checksum of the kind to spoil is wrong."""
    data = imagecodecs.png_encode(pixels)
    extra = b""
    for kind, body in chunks:
        checksum = zlib.crc32(kind + body) ^ (kind == spoil)
        extra += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)
    return data[:33] + extra + data[33:]


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def chromaticities(points: tuple[tuple[float, float], ...]) -> tuple[bytes, bytes]:
    values = [0.3127, 0.3290, *(value for point in points for value in point)]
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values))


def profile_of(power: float, points: tuple[tuple[float, float], ...]) -> bytes:
    """Return LittleCMS's profile of a space with one power for all, and D65."""
    primaries = [number for x, y in points for number in (x, y, 1.0)]
    return imagecodecs.cms_profile("rgb", whitepoint=(0.3127, 0.3290, 1.0), primaries=primaries, gamma=power)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("chunks", "power", "points"),
    [
        ([gamma(1.0)], 1.0, BT709),
        ([gamma(1 / 1.8)], 1.8, BT709),
        ([gamma(1 / 1.8), chromaticities(P3)], 1.8, P3),
        ([gamma(1 / 2.2), chromaticities(P3)], 2.2, P3),
        ([(b"cICP", bytes([12, 8, 0, 1]))], 1.0, P3),
        ([(b"cICP", bytes([1, 4, 0, 1])), gamma(1.0)], 2.2, BT709),
        ([(b"iCCP", b"x\0\0" + zlib.compress(linear_profile())), gamma(1 / 1.8)], 1.0, BT709),
        ([(b"cICP", bytes([12, 4, 0, 1])), (b"iCCP", b"x\0\0" + zlib.compress(linear_profile()))], 2.2, P3),
    ],
    ids=["linear", "1.8", "1.8 P3", "2.2 P3", "cICP", "cICP first", "iCCP before gAMA", "cICP before iCCP"],
)
def test_png_is_read_in_the_space_that_its_chunks_name(
    chunks: list[tuple[bytes, bytes]], power: float, points: tuple[tuple[float, float], ...], dtype: type
) -> None:
    pixels = (COLOURS.astype(dtype) * (257 if dtype == np.uint16 else 1)).astype(dtype)
    profile = profile_of(power, points)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    expected = imagecodecs.cms_transform(
        pixels, profile, lab, colorspace="rgb", outcolorspace="lab", outdtype="float64", intent=1
    )[..., 0]
    photograph = decode_picture(png_with(pixels, *chunks))
    assert np.abs(photograph.lightness(0, 16, white="D50") - expected).max() < 0.3
    assert photograph.levels == np.iinfo(dtype).max + 1


@pytest.mark.parametrize("chunks", [[gamma(1 / 2.2)], [gamma(1.0), (b"sRGB", b"\0")], [(b"cICP", b"\1\x0d\0\1")]])
def test_png_of_srgb_by_another_name_is_srgb(chunks: list[tuple[bytes, bytes]]) -> None:
    photograph = decode_picture(png_with(COLOURS, *chunks))
    plain = decode_picture(png_with(COLOURS))
    np.testing.assert_allclose(photograph.lightness(0, 16), plain.lightness(0, 16), atol=0.01)


def test_grey_png_with_gamma_is_read_with_it() -> None:
    photograph = decode_picture(png_with(RAMP, gamma(1.0)))
    y = RAMP / 255
    expected = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)
    np.testing.assert_allclose(photograph.lightness(0, 16), expected, atol=0.01)


def test_a_png_of_high_dynamic_range_is_refused_by_name() -> None:
    with pytest.raises(PictureError, match="high dynamic range"):
        decode_picture(png_with(COLOURS, (b"cICP", bytes([9, 16, 0, 1]))))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_with_a_bad_checksum_beside_its_pixels_is_read_with_a_remark(dtype: type) -> None:
    pixels = COLOURS.astype(dtype)
    data = png_with(pixels, (b"tIME", bytes(7)), spoil=b"tIME")
    photograph = decode_picture(data)
    np.testing.assert_array_equal(photograph.pixels, pixels)
    assert "is damaged and was left out (tIME)" in photograph.remarks[0]


def test_a_png_with_a_bad_checksum_of_its_pixels_is_refused() -> None:
    data = bytearray(png_with(COLOURS))
    data[data.index(b"IDAT") + 20] ^= 255
    with pytest.raises(PictureError, match="damaged"):
        decode_picture(bytes(data))


def test_a_png_whose_end_was_recovered_as_zeros_is_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    data = bytearray(saved(Image.fromarray(noise).resize((96, 72)), "PNG"))
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    with pytest.raises(PictureError, match="damaged or cut off"):
        decode_picture(bytes(data))


def interlaced(pixels: np.ndarray) -> bytes:
    """Write a PNG of 16 bits in Adam7's seven passes (PNG, 8.2), without filters."""
    height, width, channels = pixels.shape
    rows = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
    ):  # fmt: skip
        part = pixels[y::dy, x::dx]
        rows += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part if row.size)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 1),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks.items()
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (21, 34)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_interlaced_png_of_16_bits(channels: int, size: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(channels).integers(0, 65536, (*size, channels)).astype(np.uint16)
    np.testing.assert_array_equal(decode_picture(interlaced(pixels)).pixels, pixels)
    assert capfd.readouterr().err == ""


def grey_alpha_tiff() -> bytes:
    pixels = np.full((16, 24, 2), 30_000, np.uint16)
    return tiff(pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"], **RESOLUTION)


RESOLUTION = {"resolution": (300, 200), "resolutionunit": "INCH"}


def exif_of_resolution() -> Image.Exif:
    exif = Image.Exif()
    exif.update({282: 300.0, 283: 200.0, 296: 2})
    return exif


@pytest.mark.parametrize(
    "data",
    [
        grey_alpha_tiff(),
        tiff(np.full((16, 24), 3000, np.uint16), photometric="minisblack", byteorder=">", bigtiff=True, **RESOLUTION),
        tiff(COLOURS, photometric="rgb", compression="jpeg2000", **RESOLUTION),
        tiff(COLOURS, photometric="rgb", resolution=(300 / 2.54, 200 / 2.54), resolutionunit="CENTIMETER"),
        saved(Image.fromarray(COLOURS), "WEBP", lossless=True, exif=exif_of_resolution()),
        saved(Image.fromarray(COLOURS), "JPEG", exif=exif_of_resolution()),
        saved(Image.fromarray(COLOURS), "PNG", dpi=(300, 200)),
        saved(Image.fromarray(COLOURS), "BMP", dpi=(300, 200)),
    ],
    ids=["16-bit grey, alpha", "big-endian BigTIFF", "JPEG 2000", "centimetres", "WebP", "JPEG", "PNG", "BMP"],
)
def test_resolution_is_kept(data: bytes) -> None:
    assert decode_picture(data).metadata.dpi == pytest.approx((300, 200), abs=0.02)


@pytest.mark.parametrize("kind", ["BMP", "GIF"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_and_gif_are_read(kind: str, mode: str) -> None:
    image = Image.fromarray(COLOURS).quantize(16).convert("RGB" if mode == "RGB" else mode if mode != "P" else "RGB")
    image = image.quantize(16) if mode == "P" or (kind == "GIF" and mode == "RGB") else image
    photograph = decode_picture(saved(image, kind))
    colours = photograph.pixels if photograph.pixels.shape[2] == 3 else np.repeat(photograph.pixels, 3, axis=-1)
    np.testing.assert_array_equal(colours, np.asarray(image.convert("RGB")))


def test_an_mpo_gives_its_first_picture_and_counts_them() -> None:
    frames = [Image.fromarray(np.roll(COLOURS, shift)) for shift in (0, 9)]
    photograph = decode_picture(saved(frames[0], "MPO", save_all=True, append_images=frames[1:], quality=95))
    np.testing.assert_array_equal(photograph.pixels, decode_picture(jpeg(COLOURS)).pixels)
    assert photograph.pages == 2


@pytest.mark.parametrize(
    "data",
    [
        tiff(np.zeros((16, 16), np.float32), photometric="minisblack"),
        retagged(tiff(RAMP, photometric="minisblack", compression="lzw"), 259, value=32809),
        retagged(tiff(RAMP, photometric="minisblack"), 262, value=10),
        retagged(jpeg_in_tiff(), 259, value=6),
    ],
)
def test_what_is_whole_but_not_read_is_not_called_damaged(data: bytes) -> None:
    with pytest.raises(PictureError) as caught:
        decode_picture(data)
    assert caught.value.code == "unsupported_media_type"
    assert "damaged" not in str(caught.value)


def test_decoders_write_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    fax = bytearray(saved(Image.fromarray(RAMP).convert("1"), "TIFF", compression="group4"))
    fax[20:40] = bytes(20)
    odd = retagged(tiff(COLOURS, photometric="rgb"), 279, code=65000)
    icc = png_with(COLOURS, (b"iCCP", b"x\0\0" + zlib.compress(b"no profile")), (b"pHYs", b"123"))
    for data in (bytes(fax), odd, icc, icc[:-30], png_with(COLOURS.astype(np.uint16), (b"pHYs", b"123"))):
        with contextlib.suppress(PictureError):
            decode_picture(data)
    assert capfd.readouterr() == ("", "")
