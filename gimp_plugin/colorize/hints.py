"""Strokes of colour: the layers that hold them, their pixels, how many there are.  Main thread only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import provenance
import shown
from gi.repository import Gegl, Gimp
from language import _
from source import RefusalError
from stack import all_layers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from source import Source

HINTS_NAME = _("Colour hints")
NAMES = ("colour hints", "color hints", "farbhinweise")
"""The default name in every spelling and language: a picture may come from anywhere."""
COPY_WORDS = r"(?: (?:copy|kopie))?(?: ?#\d+)?"
"""What GIMP adds to the name of a duplicate, in English and German."""
COUNTED_SIDE = 256
"""Pixels of the short side at which strokes are counted."""
COUNTED_ALPHA = 12
"""Alpha of 255 from which a stroke counts; a stroke of 3 pixels on a picture of 60 megapixels still does."""
ONE_COLOUR = 32
"""Levels of 255 by which neighbouring parts of one stroke may differ."""
STROKE_FORMAT = "R'G'B'A u8"


def is_named_so(layer: Gimp.Layer, name: str) -> bool:
    """Tell whether a layer has a name, whatever its case, spelling of colour, and number as a copy."""
    own, wanted = _plain(layer.get_name()), _plain(name)
    return own == wanted or (own in NAMES and wanted in NAMES)


def _plain(name: str) -> str:
    words = " ".join(name.casefold().split())
    stripped = re.sub(f"{COPY_WORDS}$", "", words)
    while stripped != words:
        words, stripped = stripped, re.sub(f"{COPY_WORDS}$", "", stripped)
    return words


def find_layers(image: Gimp.Image, name: str, must_exist: bool) -> list[Gimp.Layer]:
    """Return the layers with strokes of colour that a run is to use, topmost first.

    Args:
        image: the image.
        name: the layers' name; empty for none.
        must_exist: refuse a name, other than the default one, that no layer has.

    Raises:
        RefusalError: if the artist named a layer that is not there, or one on which everything would be a hint.
    """
    if not name.strip():
        return []
    is_default = _plain(name) in NAMES
    found = [
        layer
        for layer in all_layers(image)
        if not layer.is_group()
        and (is_named_so(layer, name) or (is_default and provenance.kind_of(layer) == provenance.KIND_HINTS))
    ]
    if not found and must_exist and not is_default:
        raise RefusalError(
            _(
                "There is no layer named “{name}” to take the colour hints from. "
                "Choose another one, or leave the name empty to colorize without hints."
            ).format(name=name)
        )
    for layer in found:
        if not layer.has_alpha():
            raise RefusalError(
                _(
                    "The hints layer “{name}” has no transparency, so all of it would be a hint. "
                    "Paint the strokes on a new transparent layer."
                ).format(name=layer.get_name())
            )
    return found


def read(source: Source, layers: list[Gimp.Layer], lifted: Sequence[bytes] = ()) -> bytes | None:
    """Return the strokes as RGBA8 on the source's own rectangle, or None if nothing was painted there.

    What is seen of a stroke is its coverage: opacity, mask and filters of its layer count.

    Args:
        source: what is colorized.
        layers: the layers of strokes, topmost first.
        lifted: RGBA8 of the source's size, strokes over those of the layers, the lowest first.

    Raises:
        RefusalError: if the image cannot hold the colours of the strokes.
    """
    if not layers and not lifted:
        return None
    with shown.strokes(source, layers, lifted) as buffer:
        data = bytes(buffer.get(source.area, 1.0, STROKE_FORMAT, Gegl.AbyssPolicy.NONE))
    if not data[3::4].strip(b"\0"):
        return None
    base = source.image.get_base_type()
    if base != Gimp.ImageBaseType.RGB:
        text = (
            _(
                "The image is grey, so that the colours painted on “{name}” are lost. Choose Image > Mode > RGB and "
                "paint them again, or empty the Hints layer field to colorize without them."
            )
            if base == Gimp.ImageBaseType.GRAY
            else _(
                "The image is indexed, so that most of the colours painted on “{name}” are lost. Choose "
                "Image > Mode > RGB and paint them again, or empty the Hints layer field to colorize without them."
            )
        )
        raise RefusalError(text.format(name=layers[0].get_name()))
    return data


def count(data: bytes, width: int, height: int) -> int:
    """Return the number of strokes: patches that do not touch each other, or differ in colour.

    Args:
        data: RGBA8 of the strokes.
        width: of the picture.
        height: of the picture.
    """
    step = max(1, min(width, height) // COUNTED_SIDE)
    columns, rows = -(-width // step), -(-height // step)
    # A cell is painted where one of its pixels is, so that no thin stroke falls between two.
    cells = bytearray(columns * rows)
    colours: dict[int, bytes] = {}
    for y in range(height):
        alpha = data[4 * y * width + 3 : 4 * (y + 1) * width : 4]
        if not alpha.strip(b"\0"):
            continue
        for column in range(columns):
            part = alpha[column * step : (column + 1) * step]
            if max(part) >= COUNTED_ALPHA:
                cell = y // step * columns + column
                cells[cell] = 1
                at = 4 * (y * width + column * step + part.index(max(part)))
                colours[cell] = data[at : at + 3]
    return _patches(cells, colours, columns)


def _patches(cells: bytearray, colours: dict[int, bytes], columns: int) -> int:
    found = 0
    for start in list(colours):
        if not cells[start]:
            continue
        found += 1
        pending = [start]
        cells[start] = 0
        while pending:
            cell = pending.pop()
            x = cell % columns
            for dy in (-columns, 0, columns):
                for dx in (-1, 0, 1):
                    other = cell + dy + dx
                    is_inside = 0 <= other < len(cells) and 0 <= x + dx < columns
                    if is_inside and cells[other] and _is_alike(colours[cell], colours[other]):
                        cells[other] = 0
                        pending.append(other)
    return found


def _is_alike(one: bytes, other: bytes) -> bool:
    return all(abs(a - b) <= ONE_COLOUR for a, b in zip(one, other, strict=True))


def new_layer(image: Gimp.Image, photograph: Gimp.Layer) -> Gimp.Layer:
    """Add an empty layer for hints above a photograph and everything that belongs to it, and select it.

    A grey or indexed image becomes RGB in the same undo step: nobody could paint colours in it.
    """
    image.undo_group_start()
    try:
        if image.get_base_type() != Gimp.ImageBaseType.RGB:
            image.convert_rgb()
        layers = all_layers(image)
        source_id = provenance.id_for(photograph, layers)
        provenance.keep_photograph_id(photograph, source_id)
        layer = Gimp.Layer.new(
            image,
            HINTS_NAME,
            photograph.get_width(),
            photograph.get_height(),
            Gimp.ImageType.RGBA_IMAGE,
            100.0,
            Gimp.LayerMode.NORMAL,
        )
        own = [
            item for item in provenance.belonging(photograph, layers) if item.get_parent() == photograph.get_parent()
        ]
        above = own[0] if own else photograph
        image.insert_layer(layer, above.get_parent(), image.get_item_position(above))
        _found, x, y = photograph.get_offsets()
        layer.set_offsets(x, y)
        provenance.keep(layer, provenance.record(provenance.KIND_HINTS, source_id))
        image.set_selected_layers([layer])
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return layer
