"""The layer on which the artist goes on painting: “Touch-ups”, above the colour, in its mode.  Main thread only.

Strokes painted on a layer of colour itself are lifted off it before a run: the layer is laid again from its recipe, and
where it differs, something was painted.  Layers of an image are not written to but replaced by copies, which one Undo
takes back whatever is selected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import client
import provenance
import recipes
import shown
import untouched
from gi.repository import Gimp
from language import _
from progress import Task

if TYPE_CHECKING:
    from pixels import Picture
    from protocol import Health, Server
    from source import Source

MOST = 0.6
"""Share of a layer; where more of it differs, it was flipped, or filled, and there are no strokes to be told apart."""


@dataclass
class Lifted:
    """What was found on the layers of colour.

    Attributes:
        strokes: RGBA8 of the source's size, one for each layer, the lowest first.
        renewed: each of these layers, and its copy without strokes, which is in no image yet.
        kept: painted layers whose strokes could not be told apart.
    """

    strokes: list[bytes] = field(default_factory=list)
    renewed: list[tuple[Gimp.Layer, Gimp.Layer]] = field(default_factory=list)
    kept: list[Gimp.Layer] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return what the artist should know, in whole sentences."""
        text = _(
            "The layer “{name}” was moved, turned, scaled or painted all over, so that the strokes on it cannot be "
            "told apart; it was kept as it is, above the new colour. Hide it to see the new one."
        )
        return [text.format(name=layer.get_name()) for layer in self.kept]


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


def lift(source: Source, picture: Picture, server: Server, health: Health) -> Lifted:
    """Find the strokes that were painted on the visible layers of colour of what is colorized; changes nothing.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    lifted = Lifted()
    for layer in reversed(source.own_layers()):
        if provenance.kind_of(layer) != provenance.KIND_COLOUR or not layer.get_visible():
            continue
        if not recipes.of_layer(layer) or untouched.has_own_pixels(layer):
            continue
        knows_how = {"recipe", "touchups"} <= set(health.features)
        if not knows_how or not lies_on(layer, source) or untouched.is_turned_or_scaled(layer):
            lifted.kept.append(layer)
            continue
        Gimp.progress_set_text(_("Looking for your strokes on “{name}”").format(name=layer.get_name()))
        again = recipes.lay(source, picture, layer, server)
        laid, painted = recipes.read(again), recipes.read(layer)
        found = Task(
            lambda tell, laid=laid, painted=painted: client.lift(server, source.width, source.height, laid, painted)
        ).result_with_progress()
        clear = found[3::4].count(0)
        if clear < (1 - MOST) * source.width * source.height:
            lifted.kept.append(layer)
        elif clear < source.width * source.height:
            lifted.strokes.append(found)
            lifted.renewed.append((layer, again))
    return lifted


def lies_on(layer: Gimp.Layer, source: Source) -> bool:
    """Tell whether a layer of colour is where it was laid."""
    _found, x, y = layer.get_offsets()
    return (layer.get_width(), layer.get_height(), x, y) == (source.width, source.height, source.x, source.y)


def take_in(source: Source, lifted: Lifted, touch_up: Gimp.Layer) -> Gimp.Layer:
    """Move lifted strokes to the layer of touch-ups, and renew the layers that they were painted on.

    Args:
        source: what is colorized.
        lifted: from `lift`.
        touch_up: the layer of touch-ups, in the image.

    Returns:
        The layer of touch-ups, which may be another one now.
    """
    for old, new in lifted.renewed:
        if old.is_valid():  # else the selection in it was recoloured, which has replaced it already
            replace(old, new)
    if not lifted.strokes:
        return touch_up
    if not lies_on(touch_up, source):
        # The artist moved it; what was lifted gets one of its own above it.
        image, moved = source.image, touch_up
        touch_up = new_layer(source)
        image.insert_layer(touch_up, moved.get_parent(), image.get_item_position(moved))
        touch_up.set_offsets(source.x, source.y)
        provenance.keep(touch_up, provenance.of_layer(moved) or {})
    new = touch_up.copy()
    for strokes in lifted.strokes:
        mixed = shown.over(source, new, recipes.LAYER_FORMAT, strokes)
        recipes.write(new, f"R'G'B'A u{source.depth}", mixed)
    replace(touch_up, new)
    return new


def replace(old: Gimp.Layer, new: Gimp.Layer) -> None:
    """Put a copy in the place of a layer."""
    image, name, visible = old.get_image(), old.get_name(), old.get_visible()
    image.insert_layer(new, old.get_parent(), image.get_item_position(old))
    image.remove_layer(old)
    new.set_name(name)
    new.set_visible(visible)
