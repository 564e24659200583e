"""The pixels of what is colorized, as bytes, and whether they are still those that were sent.

Main thread only.  Pixels are read through babl formats by name, which mean sRGB: GEGL converts from the image's own
precision and profile, and ``Y'`` is the sRGB curve of linear luminance, as PROTOCOL.md wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import shown
from gi.repository import Gegl, Gimp
from language import _
from source import RefusalError

if TYPE_CHECKING:
    from source import Source

GRID_SIDE = 24
"""Rows and columns of the grid on which a picture is known again; of a large one, GIMP need not send most tiles."""
GRID_TOLERANCE = 8
"""Levels of 255 by which a sample of the grid may differ."""
GRID_MAX_CHANGED = 0.05
"""Share of the grid that a small retouch may change."""

FORMATS = {1: "Y'", 2: "Y'A", 3: "R'G'B'", 4: "R'G'B'A"}
"""Channels, as PROTOCOL.md counts them -> babl's name."""


@dataclass(frozen=True)
class Picture:
    """A raw body of PROTOCOL.md.

    Attributes:
        data: rows from the top, no padding, channels interleaved, 16-bit samples little-endian.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        depth: bits of a sample, 8 or 16.
    """

    data: bytes
    channels: int
    depth: int

    @property
    def pixel_bytes(self) -> int:
        """Length of a pixel."""
        return self.channels * self.depth // 8

    @property
    def is_clear(self) -> bool:
        """Whether there is alpha and all of it is 0; by slices, which need no loop over pixels."""
        size, sample = self.pixel_bytes, self.depth // 8
        return self.channels in (2, 4) and not any(
            self.data[offset::size].strip(b"\0") for offset in range(size - sample, size)
        )


def read_picture(source: Source) -> Picture:
    """Return the lightness (and alpha) of the source as it is shown; of a toned one in bytes, its colours.

    LCh Color keeps a pixel's lightness, which of a toned one lies between two levels of grey.  Rounded to one of them,
    the lightness that the server made its colours for is not the one that they are shown at.

    Raises:
        RefusalError: if there is nothing but transparency.
    """
    may_be_toned = source.depth == 8 and source.image.get_base_type() != Gimp.ImageBaseType.GRAY
    channels = (3 if may_be_toned else 1) + source.has_alpha
    with shown.photograph(source) as buffer:
        picture = Picture(_read(buffer, source, channels, 0, 0, source.width, source.height), channels, source.depth)
    if may_be_toned:
        picture = _without_equal_channels(picture)
    if picture.is_clear:
        if source.layer:
            raise RefusalError(
                _("The layer is empty: every pixel is transparent. Choose the photograph's layer, then colorize again.")
            )
        raise RefusalError(
            _("The image is empty: every pixel is transparent. Choose the photograph's layer, then colorize again.")
        )
    return picture


def _without_equal_channels(picture: Picture) -> Picture:
    """Return an RGB picture in bytes as a grey one if it is one, which is a third of the work; else the same."""
    data, step = picture.data, picture.channels
    red = data[::step]
    if red != data[1::step] or red != data[2::step]:
        return picture
    if step == 3:
        return Picture(red, 1, picture.depth)
    grey = bytearray(2 * len(red))
    grey[::2] = red
    grey[1::2] = data[3::4]
    return Picture(bytes(grey), 2, picture.depth)


def check_unchanged(source: Source, picture: Picture) -> None:
    """Refuse if the artist changed what was sent, in shape or in content, while the server worked on it.

    Args:
        source: what was sent.
        picture: what was sent.

    Raises:
        RefusalError: if it is another picture now, such as a flipped one; a small retouch is accepted.
    """
    source.check_unchanged()
    size = picture.pixel_bytes
    places = [(x, y) for y in _grid(source.height) for x in _grid(source.width)]
    starts = ((y * source.width + x) * size for x, y in places)
    sent = [picture.data[start : start + size] for start in starts]
    with shown.photograph(source) as buffer:
        found = [_read(buffer, source, picture.channels, x, y, 1, 1) for x, y in places]
    changed = sum(_differs(before, now, picture.depth) for before, now in zip(sent, found, strict=True))
    if changed > GRID_MAX_CHANGED * len(places):
        raise RefusalError(
            _(
                "The photograph was edited while its colour was being made, so that the colour does not fit; "
                "nothing was changed. Colorize it again."
            )
        )


def _grid(length: int) -> list[int]:
    """Return the middles of `GRID_SIDE` equal parts of a length."""
    return [(2 * part + 1) * length // (2 * GRID_SIDE) for part in range(GRID_SIDE)]


def _differs(before: bytes, now: bytes, depth: int) -> bool:
    """Tell whether any sample of two pixels differs; of little-endian 16 bits the upper byte is enough."""
    sample = depth // 8
    levels = zip(before[sample - 1 :: sample], now[sample - 1 :: sample], strict=True)
    return any(abs(one - other) > GRID_TOLERANCE for one, other in levels)


def _read(buffer: Gegl.Buffer, source: Source, channels: int, x: int, y: int, width: int, height: int) -> bytes:
    area = Gegl.Rectangle.new(x, y, width, height)
    return bytes(buffer.get(area, 1.0, f"{FORMATS[channels]} u{source.depth}", Gegl.AbyssPolicy.NONE))
