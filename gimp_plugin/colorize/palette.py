"""Suggested Colours: what a place of the photograph may have been, as a palette of GIMP.  Main thread only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import client
import hints
import pixels
import protocol
import run
import source
import touchups
from gi.repository import Gegl, Gimp
from language import _
from progress import Task

if TYPE_CHECKING:
    from source import Source

NAME = _("Colours for this photograph")
COLUMNS = 8
MAX_PLACES = 16


def suggest(image: Gimp.Image, drawables: list[Gimp.Drawable]) -> tuple[Gimp.Palette, int]:
    """Ask the model for colours of the picked places, and keep them as a palette.

    Returns:
        The palette, which takes the place of that of the last time, and how many places were asked about.

    Raises:
        RefusalError: if no place is picked, or the picture cannot be colorized.
        ServerError: if the model suggests nothing, or whatever else went wrong.
    """
    found = hints.find_layers(image, hints.HINTS_NAME, must_exist=False)
    chosen = source.choose(image, drawables, source.SCOPE_RETOUCHED, found)
    places = picked(chosen)
    Gimp.progress_init(_("Looking for the colorize server"))
    server, health = run.connect("").result_with_progress()
    if not health.suggests_colours:
        raise protocol.ServerError(
            _("The server's model ({model}) suggests no colours.").format(model=health.model),
            _("Update colorize-server, or paint the colours that you know."),
        )
    Gimp.progress_set_text(_("Asking for colours"))
    picture = pixels.read_picture(chosen)
    touch_up = touchups.find(chosen)
    request = protocol.Request(
        width=chosen.width,
        height=chosen.height,
        channels=picture.channels,
        depth=picture.depth,
        picture=picture.data,
        hints=hints.read(chosen, [layer for layer in (touch_up, *found) if layer is not None]),
    )
    suggestions = Task(lambda tell: client.suggest(server, request, places)).result_with_progress()
    Gimp.progress_end()
    return _palette(suggestions), len(places)


def picked(chosen: Source) -> list[tuple[int, int]]:
    """Return the places that the artist picked, in pixels of the photograph: sample points, or the selection.

    Raises:
        RefusalError: if there are none on the photograph.
    """
    places = []
    image = chosen.image
    point = image.find_next_sample_point(0)
    while point:
        x, y = image.get_sample_point_position(point)
        places.append((x - chosen.x, y - chosen.y))
        point = image.find_next_sample_point(point)
    if not Gimp.Selection.is_empty(image):
        places.insert(0, _inside_selection(chosen))
    inside = [(x, y) for x, y in places if 0 <= x < chosen.width and 0 <= y < chosen.height]
    if not inside:
        raise source.RefusalError(
            _(
                "No place is picked. Select a small part of what you want colours for "
                "(or set a sample point: drag from a ruler with Ctrl held), then ask again."
            )
        )
    return inside[:MAX_PLACES]


def _inside_selection(chosen: Source) -> tuple[int, int]:
    """Return a selected pixel: the middle of the selection's middle row, which a hole or a bay does not miss."""
    _ok, _some, left, top, right, bottom = Gimp.Selection.bounds(chosen.image)
    buffer = chosen.image.get_selection().get_buffer()
    for y in sorted(range(top, bottom), key=lambda row: abs(2 * row - top - bottom)):
        area = Gegl.Rectangle.new(left, y, right - left, 1)
        row = bytes(buffer.get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE))
        columns = [x for x, level in enumerate(row) if level == max(row) > 0]
        if columns:
            return left + columns[len(columns) // 2] - chosen.x, y - chosen.y
    return (left + right) // 2 - chosen.x, (top + bottom) // 2 - chosen.y


def _palette(suggestions: list[list[protocol.Suggestion]]) -> Gimp.Palette:
    """Put the colours of all places into the one palette that Colorize keeps, each colour once."""
    palette = Gimp.Palette.get_by_name(NAME)
    if palette is None or not palette.is_editable():
        palette = Gimp.Palette.new(NAME)
    while palette.get_color_count():
        palette.delete_entry(0)
    palette.set_columns(COLUMNS)
    seen = set()
    for colours in suggestions:
        for colour in colours:
            if colour.rgb not in seen:
                seen.add(colour.rgb)
                label = _("used here") if colour.is_used else _("{percent} %").format(percent=round(100 * colour.share))
                palette.add_entry(label, Gegl.Color.new("#{:02x}{:02x}{:02x}".format(*colour.rgb)))
    return palette
