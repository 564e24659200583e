"""The layer on which the artist goes on painting: “Touch-ups”, above the colour, in its mode.  Main thread only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import provenance
from gi.repository import Gimp
from language import _

if TYPE_CHECKING:
    from source import Source


def find(source: Source) -> Gimp.Layer | None:
    """Return the layer of touch-ups of what is colorized; of several, the uppermost."""
    for layer in source.own_layers():
        if provenance.kind_of(layer) == provenance.KIND_TOUCH_UPS:
            return layer
    return None


def new_layer(source: Source) -> Gimp.Layer:
    """Return an empty layer of touch-ups, not inserted yet."""
    return Gimp.Layer.new(
        source.image,
        _("Touch-ups"),
        source.width,
        source.height,
        Gimp.ImageType.RGBA_IMAGE,
        100.0,
        Gimp.LayerMode.LCH_COLOR,
    )
