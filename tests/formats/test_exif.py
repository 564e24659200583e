"""EXIF: what a file says about its picture comes through to the byte, whatever kind of file it goes into."""

import io
import struct

import numpy as np
import pytest
import tifffile
from colorize_server.formats.decode import decode_picture
from colorize_server.formats.encode import encode_picture
from colorize_server.formats.exif import clean_block
from colorize_server.picture.photograph import Metadata
from PIL import ExifTags, Image

PREFIX = b"Exif\0\0"
COPYRIGHT = "© José".encode()
TAKEN = "1936:03:01 12:00:00"
PICTURE = np.full((16, 24, 3), 99, np.uint8)


def block(*, endian: str = "<", maker_note: bytes = b"\1\2\3\4\5") -> bytes:
    """Return a block as a camera writes it, by Pillow."""
    exif = Image.Exif()
    exif.endian = endian
    exif[ExifTags.Base.Make] = "Ernemann"
    exif[ExifTags.Base.Copyright] = COPYRIGHT
    exif[ExifTags.Base.Orientation] = 1
    exif.get_ifd(ExifTags.IFD.Exif).update({36867: TAKEN, 33434: (1, 125), 37500: maker_note})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (10.0, 20.0, 30.5)})
    return exif.tobytes().removeprefix(PREFIX)


def photograph_with(exif: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PICTURE).save(stream, "JPEG", exif=PREFIX + exif)
    return stream.getvalue()


def check(data: bytes) -> None:
    """Check, by Pillow, that a file says what `block` says."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        exif = image.getexif()
        assert exif[ExifTags.Base.Make] == "Ernemann"
        assert exif[ExifTags.Base.Copyright].encode("latin-1") == COPYRIGHT
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        more = exif.get_ifd(ExifTags.IFD.Exif)
        assert (more[36867], more[33434], more[37500]) == (TAKEN, (1, 125), b"\1\2\3\4\5")
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        assert (gps[1], gps[2]) == ("N", (10.0, 20.0, 30.5))


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("media_type", ["image/png", "image/tiff", "image/jpeg"])
def test_texts_dates_and_places_come_through(media_type: str, endian: str) -> None:
    """Also letters that are not ASCII, and also when the result is the next photograph."""
    metadata = decode_picture(photograph_with(block(endian=endian))).metadata
    first = encode_picture(PICTURE, metadata, media_type)
    check(first)
    for next_type in ("image/png", "image/tiff"):
        check(encode_picture(PICTURE, decode_picture(first).metadata, next_type))


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_texts_of_a_tiff_come_through(bigtiff: bool, byteorder: str) -> None:
    """The tags of its pixels do not."""
    stream = io.BytesIO()
    texts = [(271, "s", 0, "Ernemann", True), (33432, "s", 0, COPYRIGHT, True)]
    tifffile.imwrite(stream, PICTURE, bigtiff=bigtiff, byteorder=byteorder, extratags=texts, metadata=None)
    exif = Image.Exif()
    exif.load(PREFIX + (decode_picture(stream.getvalue()).metadata.exif or b""))
    assert exif.pop(ExifTags.Base.Software, "tifffile.py") == "tifffile.py"
    assert dict(exif) == {271: "Ernemann", 33432: COPYRIGHT.decode("latin-1")}


def test_a_written_tiff_is_well_formed() -> None:
    """Its tags stand in order, and its pixels are where they were."""
    data = encode_picture(PICTURE, Metadata(dpi=(300.0, 300.0), exif=clean_block(block())), "image/tiff")
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        (page,) = tiff.pages
        codes = [tag.code for tag in page.tags]
        assert codes == sorted(codes)
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == TAKEN
    np.testing.assert_array_equal(decode_picture(data).pixels, PICTURE)


def test_a_block_too_long_for_a_jpeg_is_left_out() -> None:
    """A TIFF or a PNG may bring one; the picture matters more."""
    metadata = Metadata(exif=clean_block(block(maker_note=bytes(70_000))))
    assert metadata.exif is not None
    with Image.open(io.BytesIO(encode_picture(PICTURE, metadata, "image/jpeg"))) as image:
        assert not image.getexif()
    assert decode_picture(encode_picture(PICTURE, metadata, "image/png")).metadata.exif == metadata.exif


def test_a_linked_thumbnail_is_dropped() -> None:
    """IFD1 leads to it, and it would show the picture grey."""
    thumbnail = b"\xff\xd8\xff the old picture \xff\xd9"
    text = struct.pack("<HHI4s", 271, 2, 4, b"Abc\0")
    second = 8 + 2 + 12 + 4
    where = struct.pack("<HHII", 513, 4, 1, second + 2 + 24 + 4) + struct.pack("<HHII", 514, 4, 1, len(thumbnail))
    linked = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + text + struct.pack("<I", second)
    linked += struct.pack("<H", 2) + where + bytes(4) + thumbnail
    cleaned = clean_block(linked)
    assert cleaned is not None
    assert b"Abc" in cleaned
    assert b"old picture" not in cleaned


def test_a_pointer_that_leads_nowhere_costs_only_what_it_led_to() -> None:
    entries = struct.pack("<HHI4s", 271, 2, 4, b"Abc\0") + struct.pack("<HHII", 34665, 4, 1, 999)
    cleaned = clean_block(b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4))
    assert cleaned is not None
    assert b"Abc" in cleaned


def test_tags_that_share_their_bytes_cannot_fill_the_memory() -> None:
    """A file of 100 kB names the same megabytes again and again."""
    value = bytes(1 << 20)
    entries = b"".join(struct.pack("<HHII", tag, 7, len(value), 8 + 2 + 12 * 1000 + 4) for tag in range(1000, 2000))
    assert clean_block(b"II*\0\x08\0\0\0" + struct.pack("<H", 1000) + entries + bytes(4) + value) is None


@pytest.mark.parametrize(
    "damaged", [b"", b"II", b"XX*\0\x08\0\0\0\0\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"]
)
def test_a_damaged_block_is_no_block(damaged: bytes) -> None:
    assert clean_block(damaged) is None
