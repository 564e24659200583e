"""Put the server's colour into the image: one undo step, nothing else touched.  Main thread only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import metadata
import provenance
import recipes
import shown
import touchups
import untouched
from gi.repository import Gegl, Gimp
from language import _, counted
from stack import all_layers, covering, place_for_colour

if TYPE_CHECKING:
    from protocol import Answer
    from source import Source

DOUBT_COLOUR = (255, 96, 0)
"""R'G'B' of the overlay that shows where the model guesses."""
DOUBT_OPACITY = 0.75
"""Of the overlay where the doubt is greatest; the photograph stays to be seen."""


@dataclass(frozen=True)
class Insertion:
    """What is to be inserted, and how.

    Attributes:
        source: what was sent.
        answer: what came back.
        settings: what the artist asked for, kept with the layer.
        hide_previous: whether earlier results of the same source are hidden (those that the artist left untouched).
        default_size: the model's own choice of the network's short side; 0 where it is not known.
        recolour: whether the colour is blended into the present layer, inside the selection.
        lifted: strokes that the artist painted on layers of colour.
        record: an XMP packet for the image's metadata; empty for none.
    """

    source: Source
    answer: Answer
    settings: dict[str, Any]
    hide_previous: bool
    default_size: int = 0
    recolour: bool = False
    lifted: touchups.Lifted = field(default_factory=touchups.Lifted)
    record: bytes = b""

    def layer_name(self, number: int) -> str:
        """Name of the new layer: what differs between results comes first; the model is kept in the parasite."""
        parts = [_("Colour {number}").format(number=number)]
        if self.settings["saturation"] != 1:
            parts.append(_("saturation {percent} %").format(percent=round(100 * self.settings["saturation"])))
        if self.settings["strokes"]:
            strokes = self.settings["strokes"]
            parts.append(counted("{count} hint", "{count} hints", strokes).format(count=strokes))
        if self.answer.size != self.default_size:
            parts.append(f"{self.answer.size} px")
        return ", ".join(parts)


def insert(insertion: Insertion) -> tuple[Gimp.Layer, list[str]]:
    """Insert the colour above its source, earlier results and retouch, and below the layer of touch-ups.

    Returns:
        The layer with the new colour, and what the artist should know besides, in whole sentences.

    Raises:
        RefusalError: if the picture has changed meanwhile; it is left as it is.
    """
    source = insertion.source
    source.check_unchanged()
    image = source.image
    present = present_colour(source) if insertion.recolour else None
    blended = None if present is None else _blended(insertion, present)
    image.undo_group_start()
    inserted: list[Gimp.Layer] = []
    try:
        # A grey or indexed image can hold no coloured layer, not even one that is not inserted yet.
        if image.get_base_type() != Gimp.ImageBaseType.RGB:
            image.convert_rgb()
        touch_up = touchups.find(source)
        colour = blended
        if colour is None:
            colour, touch_up = _insert_layers(insertion, touch_up, inserted)
        # GIMP may free the image of a closed window at any moment; what was done since was done to nothing.
        source.check_open()
    except BaseException:
        for layer in inserted:
            image.remove_layer(layer)
        raise
    else:
        # Only now are layers replaced: what was taken out could not be put back.
        if present is not None and blended is not None:
            touchups.replace(present, blended)
            _keep_blended(insertion, blended)
        if touch_up is None:
            touch_up = touchups.new_layer(source)
            _place_above(touch_up, colour, source, inserted)
        touch_up = touchups.take_in(source, insertion.lifted, touch_up)
        if insertion.hide_previous and blended is None:
            _hide_earlier(source, colour)
        image.set_selected_layers([touch_up])
        record_notes = _keep_record(image, insertion.record)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return colour, [*record_notes, *insertion.lifted.notes(), *_notes(colour, insertion.lifted.kept)]


def _keep_record(image: Gimp.Image, record: bytes) -> list[str]:
    """Let the image's metadata say that colours in it are inferred; return what went wrong, in a sentence."""
    if record:
        try:
            metadata.add_record(image, record)
        except ValueError:
            return [_("The image's metadata do not say that its colours are inferred: they could not be changed.")]
    return []


def present_colour(source: Source) -> Gimp.Layer | None:
    """Return the uppermost visible layer of colour that lies exactly on what is colorized, or None."""
    for layer in source.own_layers():
        if provenance.kind_of(layer) == provenance.KIND_COLOUR and layer.get_visible():
            return layer if touchups.lies_on(layer, source) else None
    return None


def _blended(insertion: Insertion, present: Gimp.Layer) -> Gimp.Layer:
    """Return a copy of the present colour, in no image yet, with the new colour blended in inside the selection."""
    source = insertion.source
    renewed = dict(insertion.lifted.renewed).get(present)
    new = (renewed or present).copy()
    pixel_format = recipes.answer_format(source)
    mixed = shown.over(source, new, pixel_format, insertion.answer.picture, _selection(source))
    recipes.write(new, f"R'G'B'A u{source.depth}", mixed)
    return new


def _keep_blended(insertion: Insertion, layer: Gimp.Layer) -> None:
    """Let a layer tell what was blended into it."""
    source, entry = insertion.source, provenance.of_layer(layer) or {}
    before = recipes.of_layer(layer)
    if before and insertion.answer.recipe is not None:
        step = recipes.Step(insertion.answer.recipe, insertion.settings["saturation"], _selection(source))
        recipes.keep(layer, [*before, step])
    entry = {**entry, "recoloured": [*entry.get("recoloured", []), insertion.settings]}
    provenance.keep(layer, {**entry, "state": untouched.state_of(layer, source.layer)})


def _selection(source: Source) -> bytes:
    """Return how much of each pixel of the source is selected, as bytes."""
    area = Gegl.Rectangle.new(source.x, source.y, source.width, source.height)
    return bytes(source.image.get_selection().get_buffer().get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE))


def _insert_layers(
    insertion: Insertion, touch_up: Gimp.Layer | None, inserted: list[Gimp.Layer]
) -> tuple[Gimp.Layer, Gimp.Layer]:
    source = insertion.source
    image = source.image
    source_id = provenance.VISIBLE_IMAGE
    if source.layer is not None:
        source_id = provenance.id_for(source.layer, all_layers(image))
        provenance.keep_photograph_id(source.layer, source_id)
    number = provenance.next_number(source.own_layers())
    colour = _colour_layer(insertion, insertion.layer_name(number))
    _place(colour, insertion, inserted, touch_up)
    _add_mask(colour, source)
    answer = insertion.answer
    made_by = {
        "number": number,
        "model": answer.model,
        "model_sha256": answer.model_sha256,
        "backend": answer.backend,
        "settings": insertion.settings,
    }
    _keep(colour, source, provenance.record(provenance.KIND_COLOUR, source_id, **made_by))
    if answer.recipe is not None:
        recipes.keep(colour, [recipes.Step(answer.recipe, insertion.settings["saturation"])])
    top = colour
    if answer.doubt is not None:
        top = _doubt_layer(insertion, number)
        _place_above(top, colour, source, inserted)
        _keep(top, source, provenance.record(provenance.KIND_DOUBT, source_id, **made_by))
    for layer in source.hints:
        if provenance.kind_of(layer) == provenance.KIND_HINTS:
            # Made by New Hints Layer: it has done its work, and would hide the colour.
            layer.set_visible(False)
    if touch_up is None:
        touch_up = touchups.new_layer(source)
        _place_above(touch_up, top, source, inserted)
        provenance.keep(touch_up, provenance.record(provenance.KIND_TOUCH_UPS, source_id))
    elif image.get_item_position(touch_up) > image.get_item_position(top):
        image.reorder_item(touch_up, top.get_parent(), image.get_item_position(top))
    return colour, touch_up


def _notes(colour: Gimp.Layer, kept: list[Gimp.Layer]) -> list[str]:
    cover = covering(colour)
    if cover is None or cover in kept:
        return []
    text = _("The layer “{name}” lies above the new colour and hides it; hide or lower it to see the colour.")
    return [text.format(name=cover.get_name())]


def _keep(layer: Gimp.Layer, source: Source, entry: dict[str, Any]) -> None:
    provenance.keep(layer, {**entry, "state": untouched.state_of(layer, source.layer)})
    provenance.keep_in_image(source.image, entry)


def _colour_layer(insertion: Insertion, name: str) -> Gimp.Layer:
    """Return the layer of colour; it has alpha even where the photograph has none, so that it can be erased."""
    source = insertion.source
    layer = Gimp.Layer.new(
        source.image, name, source.width, source.height, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.LCH_COLOR
    )
    recipes.write(layer, recipes.answer_format(source), insertion.answer.picture)
    return layer


def _doubt_layer(insertion: Insertion, number: int) -> Gimp.Layer:
    """Return an overlay that is the stronger, the less the model is sure, and through which one can see."""
    source = insertion.source
    name = _("Where colour {number} is guessed (orange = unsure)").format(number=number)
    layer = Gimp.Layer.new(
        source.image, name, source.width, source.height, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    data = bytearray(bytes((*DOUBT_COLOUR, 0)) * (source.width * source.height))
    data[3::4] = insertion.answer.doubt.translate(bytes(round(level * DOUBT_OPACITY) for level in range(256)))
    recipes.write(layer, recipes.LAYER_FORMAT, bytes(data))
    layer.set_visible(False)
    return layer


def _place(layer: Gimp.Layer, insertion: Insertion, inserted: list[Gimp.Layer], touch_up: Gimp.Layer | None) -> None:
    """Insert the colour where it shows."""
    source = insertion.source
    image = source.image
    if source.layer is not None:
        place = place_for_colour(source.layer, source.hints, insertion.lifted.kept)
        _place_above(layer, place, source, inserted)
        return
    # Colour of the visible image: on top of everything but its own touch-ups.
    below = touch_up is not None and touch_up.get_parent() is None and image.get_item_position(touch_up) == 0
    image.insert_layer(layer, None, 1 if below else 0)
    inserted.append(layer)


def _place_above(layer: Gimp.Layer, other: Gimp.Layer, source: Source, inserted: list[Gimp.Layer]) -> None:
    """Insert a layer directly above another one, in the same group."""
    image = source.image
    image.insert_layer(layer, other.get_parent(), image.get_item_position(other))
    inserted.append(layer)
    layer.set_offsets(source.x, source.y)


def _add_mask(layer: Gimp.Layer, source: Source) -> None:
    """Confine the colour to the selection, and to what the source's own mask shows."""
    shown = source.layer.get_mask() if source.layer and source.layer.get_apply_mask() else None
    selected = not Gimp.Selection.is_empty(source.image)
    if not selected and shown is None:
        return
    mask = layer.create_mask(Gimp.AddMaskType.SELECTION if selected else Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    if shown is not None:
        _multiply(mask, shown)
    # The artist's brush goes on to paint colour, not mask.
    layer.set_edit_mask(False)


def _multiply(mask: Gimp.LayerMask, other: Gimp.LayerMask) -> None:
    """Multiply a mask by another one of the same size, as two masks one above the other would act."""
    buffer = mask.get_buffer()
    graph = Gegl.Node()
    first = _node(graph, "gegl:buffer-source", buffer=buffer.dup())
    second = _node(graph, "gegl:buffer-source", buffer=other.get_buffer())
    product = _node(graph, "gegl:multiply")
    write = _node(graph, "gegl:write-buffer", buffer=buffer)
    first.connect_to("output", product, "input")
    second.connect_to("output", product, "aux")
    product.connect_to("output", write, "input")
    write.process()
    buffer.flush()
    mask.update(0, 0, mask.get_width(), mask.get_height())


def _node(graph: Gegl.Node, operation: str, **properties: object) -> Gegl.Node:
    node = graph.create_child(operation)
    for name, value in properties.items():
        node.set_property(name, value)
    return node


def _hide_earlier(source: Source, colour: Gimp.Layer) -> None:
    """Hide the results of earlier runs on the same source that the artist left as they were and that are covered."""
    number = (provenance.of_layer(colour) or {})["number"]
    for layer in source.own_layers():
        entry = provenance.of_layer(layer) or {}
        if (
            entry["kind"] in (provenance.KIND_COLOUR, provenance.KIND_DOUBT)
            and entry.get("number") != number
            and layer.get_visible()
            and untouched.is_untouched(layer, source.layer)
            and _is_covered(layer, colour, source.image)
        ):
            layer.set_visible(False)


def _is_covered(layer: Gimp.Layer, colour: Gimp.Layer, image: Gimp.Image) -> bool:
    """Tell whether nothing of an earlier result would show beside a new one.

    Of a result that is confined to a selection that is so only if the earlier one is confined to the same.
    """
    if Gimp.Selection.is_empty(image):
        return True
    before, now = layer.get_mask(), colour.get_mask()
    return before is not None and _bytes(before) == _bytes(now)


def _bytes(mask: Gimp.LayerMask) -> bytes:
    area = Gegl.Rectangle.new(0, 0, mask.get_width(), mask.get_height())
    return bytes(mask.get_buffer().get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE))
