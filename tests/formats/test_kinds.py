"""Every kind of TIFF scan shows the colours that were drawn into it, and odd directories never show others."""

import dataclasses

import numpy as np
import pytest
from colorize_server.errors import PictureError
from colorize_server.formats.decode import decode_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiff_files import (
    ASCII,
    BYTE,
    DEFLATE,
    LONG,
    LONG8,
    LZW,
    SHORT,
    UNDEFINED,
    Directory,
    Layout,
    picture,
    tiff_file,
)

from .kinds import CMYK, GREY, GREY_FROM_WHITE, PALETTE, RGB, Kind, all_kinds

WHOLE = (BYTE, ASCII, SHORT, LONG, UNDEFINED, LONG8)
TOPS = {BYTE: 255, ASCII: 127, SHORT: 65535, LONG: 2**32 - 1, UNDEFINED: 255, LONG8: 2**64 - 1}


def shown(data: bytes, channels: int) -> np.ndarray:
    """Return what a file shows, 0..1, as many channels as are expected where it is grey."""
    photograph = decode_picture(data)
    pixels = photograph.pixels / (photograph.levels - 1)
    if pixels.shape[2] <= 2 < channels:
        pixels = pixels[..., [0, 0, 0, *range(1, pixels.shape[2])]]
    return pixels


def fault_of(kind: Kind) -> str | None:
    try:
        got = shown(kind.data, kind.expected.shape[2])
    except PictureError as error:
        return f"{kind.name}: {error}"
    if got.shape != kind.expected.shape:
        return f"{kind.name}: {got.shape} instead of {kind.expected.shape}"
    difference = np.abs(got - kind.expected).max()
    return f"{kind.name}: off by {difference:.4f}" if difference > kind.tolerance else None


def test_every_kind_of_tiff_shows_what_was_drawn() -> None:
    faults = [fault for kind in all_kinds() if (fault := fault_of(kind))]
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])


def test_the_table_notices_a_wrong_sample() -> None:
    kind = next(all_kinds())
    assert fault_of(dataclasses.replace(kind, expected=1 - kind.expected))


def drawn(channels: int, bits: int) -> np.ndarray:
    return np.random.default_rng(channels * bits).integers(0, 1 << bits, (20, 33, channels))


def bases() -> list[tuple[str, Directory, str, bool]]:
    """Return directories that are right, with the order of their bytes and whether they are BigTIFF."""
    alpha, turned = (SHORT, [2]), (SHORT, [6])
    table = (SHORT, drawn(48, 16)[0, :16].reshape(-1).tolist())
    return [
        (name, picture(drawn(channels, bits), bits, photometric, layout, **tags), layout.order, layout.big)
        for name, channels, bits, photometric, layout, tags in (
            ("bilevel", 1, 1, GREY_FROM_WHITE, Layout(rows=6), {}),
            ("grey", 1, 8, GREY, Layout(LZW, 2, rows=6), {"_274": turned}),
            ("grey, alpha", 2, 16, GREY, Layout(rows=6, order=">"), {"_338": alpha}),
            ("rgb", 3, 8, RGB, Layout(DEFLATE, 2, rows=6), {"_274": turned}),
            ("rgb, tiles", 3, 16, RGB, Layout(DEFLATE, 1, rows=0, big=True), {}),
            ("rgb, planes", 4, 8, RGB, Layout(rows=6, planar=True), {"_338": alpha}),
            ("palette", 1, 4, PALETTE, Layout(rows=6), {"_320": (SHORT, table[1][:48])}),
            ("inks", 4, 16, CMYK, Layout(rows=6, planar=True, order=">", big=True), {}),
        )
    ]


@st.composite
def odd_directories(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a right file, and the same with tags of other types, numbers of values, and in another order."""
    _, directory, order, big = draw(st.sampled_from(bases()))
    right = tiff_file([directory], order, big)
    tags = dict(directory.with_places(0, big))
    changed = dict(directory.tags)
    for number in draw(st.lists(st.sampled_from(sorted(tags)), min_size=1, max_size=3, unique=True)):
        kind, values = changed.get(number, tags[number])
        if number in changed and draw(st.booleans()):
            fitting = [other for other in WHOLE if max(values) <= TOPS[other]]
            kind = draw(st.sampled_from(fitting))
        count = draw(st.sampled_from([len(values), 1, max(1, len(values) - 1), 2 * len(values), len(values) + 1]))
        changed[number] = (kind, [values[index % len(values)] for index in range(count)])
    directory = Directory(changed, directory.segments)
    places = {number: value for number, value in changed.items() if number in (273, 279, 324, 325)}
    if places:  # offsets are right, but there may be too few of them, or too many
        directory.tags = {number: value for number, value in changed.items() if number not in places}
        found = directory.with_places(0, big)
        length = len(tiff_file([Directory({**found, **places})], order, big))
        found = directory.with_places(length, big)
        for number, (_, values) in places.items():
            kind, true_values = found[number]
            directory.tags[number] = (kind, [true_values[index % len(true_values)] for index in range(len(values))])
    if draw(st.booleans()):
        numbers = sorted(directory.with_places(0, big))
        directory.order_of_tags = draw(st.permutations(numbers))
    return right, tiff_file([directory], order, big)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(odd_directories())
def test_a_directory_of_odd_types_counts_and_orders_shows_the_right_picture_or_is_refused(
    files: tuple[bytes, bytes],
) -> None:
    right, odd = files
    try:
        photograph = decode_picture(odd)
    except PictureError:
        return
    np.testing.assert_array_equal(photograph.pixels, decode_picture(right).pixels)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(bases()), st.data())
def test_a_tiff_that_is_cut_off_is_refused(base: tuple[str, Directory, str, bool], data: st.DataObject) -> None:
    _, directory, order, big = base
    whole = tiff_file([directory], order, big)
    length = data.draw(st.integers(1, len(whole) - 2))
    with pytest.raises(PictureError):
        decode_picture(whole[:length])
