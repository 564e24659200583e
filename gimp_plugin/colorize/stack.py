"""The layers of an image: which one is the photograph, what mends it, where its colour belongs.  Main thread only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import provenance
from gi.repository import Gimp
from untouched import small

if TYPE_CHECKING:
    from collections.abc import Iterable

NORMAL_MODES = (Gimp.LayerMode.NORMAL, Gimp.LayerMode.NORMAL_LEGACY)
COLOUR_MODES = (
    Gimp.LayerMode.LCH_COLOR,
    Gimp.LayerMode.HSL_COLOR,
    Gimp.LayerMode.HSL_COLOR_LEGACY,
)
"""Modes that decide every hue below: a file that keeps no parasites (PSD, ORA) keeps these."""
SAMPLE_SIDE = 96
"""Pixels of the short side at which it is looked how much of a layer is painted."""
MOSTLY_TRANSPARENT = 0.5
"""A layer that shows less of itself is a retouch of what lies below."""
PAINTED_ON = 0.25
"""A selected layer that shows less of itself is no photograph but was painted for one."""
OPAQUE = 0.98
"""A layer that shows more of itself hides what lies below."""
GREY_LEVELS = 12
"""Difference of R'G'B' levels up to which a pixel counts as grey."""


def all_layers(image: Gimp.Image) -> list[Gimp.Layer]:
    """Return every layer of the image, those inside groups too, topmost first."""
    found: list[Gimp.Layer] = []
    pending = list(image.get_layers())
    while pending:
        layer = pending.pop(0)
        found.append(layer)
        if layer.is_group():
            pending[:0] = layer.get_children()
    return found


def siblings(image: Gimp.Image, layer: Gimp.Layer) -> list[Gimp.Layer]:
    """Return the layers of the group that a layer is in (or of the image), itself too, topmost first."""
    parent = layer.get_parent()
    return list(parent.get_children() if parent else image.get_layers())


def above(image: Gimp.Image, layer: Gimp.Layer) -> list[Gimp.Layer]:
    """Return the layers above one in its own group, the nearest first."""
    return siblings(image, layer)[: image.get_item_position(layer)][::-1]


def below(image: Gimp.Image, layer: Gimp.Layer) -> list[Gimp.Layer]:
    """Return the layers below one, the nearest first: those of its group, then those below the group, and so on."""
    found: list[Gimp.Layer] = []
    while layer is not None:
        found += siblings(image, layer)[image.get_item_position(layer) + 1 :]
        layer = layer.get_parent()
    return found


def hidden_by(layer: Gimp.Layer) -> Gimp.Layer | None:
    """Return the layer or group that is switched off, so that a layer does not show; None if it shows."""
    item = layer
    while item is not None:
        if not item.get_visible():
            return item
        item = item.get_parent()
    return None


def coverage(layer: Gimp.Layer) -> float:
    """Return how much of a layer's own rectangle shows, 0..1: its alpha, mask and opacity together."""
    _, _, data = small(layer, SAMPLE_SIDE)
    alpha = data[3::4]
    mask = layer.get_mask()
    if mask is not None and layer.get_apply_mask():
        _, _, shown = small(mask, SAMPLE_SIDE)
        total = sum(a * m for a, m in zip(alpha, shown[::4], strict=False)) / 255
    else:
        total = sum(alpha)
    return total / (255 * len(alpha)) * layer.get_opacity() / 100


def is_grey(layer: Gimp.Layer) -> bool:
    """Tell whether what is painted on a layer has no colour."""
    _, _, data = small(layer, SAMPLE_SIDE)
    pixels = zip(data[::4], data[1::4], data[2::4], data[3::4], strict=True)
    return all(max(r, g, b) - min(r, g, b) <= GREY_LEVELS for r, g, b, a in pixels if a > 0)


def is_retouch(layer: Gimp.Layer, hints: Iterable[Gimp.Layer]) -> bool:
    """Tell whether a layer mends what lies below it: Normal, visible, painted on in places only."""
    return (
        layer.get_visible()
        and layer.get_mode() in NORMAL_MODES
        and not layer.is_group()
        and not layer.is_text_layer()
        and layer not in hints
        and not provenance.kind_of(layer)
        and layer.has_alpha()
        and 0 < coverage(layer) < MOSTLY_TRANSPARENT
    )


def retouch_layers(photograph: Gimp.Layer, hints: Iterable[Gimp.Layer]) -> list[Gimp.Layer]:
    """Return the layers that mend a photograph, the lowest first."""
    found = []
    for layer in above(photograph.get_image(), photograph):
        if is_retouch(layer, hints):
            found.append(layer)
        elif _is_picture(layer, hints):
            break  # what lies above another photograph mends that one
    return found


def _is_picture(layer: Gimp.Layer, hints: Iterable[Gimp.Layer]) -> bool:
    """Tell whether a layer may be a photograph."""
    return (
        layer.get_visible()
        and layer.get_mode() in NORMAL_MODES
        and not layer.is_text_layer()
        and layer not in hints
        and not provenance.kind_of(layer)
        and coverage(layer) >= MOSTLY_TRANSPARENT
    )


def photographs_below(layer: Gimp.Layer, hints: Iterable[Gimp.Layer]) -> list[Gimp.Layer]:
    """Return the layers below one that may be its photograph and that show, topmost first."""
    found: list[Gimp.Layer] = []
    for other in below(layer.get_image(), layer):
        if _is_picture(other, hints) and not any(covers(upper, other) for upper in found):
            found.append(other)
    return found


def covers(upper: Gimp.Layer, lower: Gimp.Layer) -> bool:
    """Tell whether nothing of a layer can be seen through another one above it."""
    if not upper.get_visible() or upper.get_mode() not in NORMAL_MODES:
        return False
    left, top, right, bottom = _rectangle(upper)
    x1, y1, x2, y2 = _rectangle(lower)
    return left <= x1 and top <= y1 and right >= x2 and bottom >= y2 and coverage(upper) >= OPAQUE


def _rectangle(layer: Gimp.Layer) -> tuple[int, int, int, int]:
    _, x, y = layer.get_offsets()
    return x, y, x + layer.get_width(), y + layer.get_height()


def covering(layer: Gimp.Layer) -> Gimp.Layer | None:
    """Return the lowest layer that hides all of a layer, or None."""
    image, item = layer.get_image(), layer
    while item is not None:
        for upper in above(image, item):
            if covers(upper, layer):
                return upper
        item = item.get_parent()
    return None


def place_for_colour(
    photograph: Gimp.Layer, hints: Iterable[Gimp.Layer], kept: Iterable[Gimp.Layer] = ()
) -> Gimp.Layer:
    """Return the layer directly above which a photograph's new colour belongs; `kept` stays above it.

    The uppermost layer of colour decides every hue, so it is the topmost earlier result (or, in a file that lost what
    results say of themselves, the topmost layer in a mode of colour); and what was mended in grey shall be coloured, so
    it is above retouch layers that lie on the photograph.  What the artist painted in colour above a result stays.
    """
    image = photograph.get_image()
    results = provenance.belonging(photograph, all_layers(image))
    place, has_colour = photograph, False
    for layer in above(image, photograph):
        kind = provenance.kind_of(layer)
        if layer in kept:
            break
        if (layer in results and kind in (provenance.KIND_COLOUR, provenance.KIND_DOUBT)) or (
            not kind and layer.get_mode() in COLOUR_MODES
        ):
            place, has_colour = layer, True
        elif is_retouch(layer, hints) and (not has_colour or is_grey(layer)):
            place = layer
        elif _is_picture(layer, hints):
            break
    return place
