"""Put the server's colour into the image: one undo step, nothing else touched.  Main thread only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import provenance
from gi.repository import Gegl, Gimp
from source import all_layers, siblings

if TYPE_CHECKING:
    from protocol import Answer
    from source import Source


@dataclass(frozen=True)
class Insertion:
    """What is to be inserted, and how.

    Attributes:
        source: what was sent.
        answer: what came back.
        settings: what the artist asked for, kept with the layer.
        hide_previous: whether earlier results of the same source are hidden (those that the artist left untouched).
    """

    source: Source
    answer: Answer
    settings: dict[str, Any]
    hide_previous: bool

    @property
    def layer_name(self) -> str:
        """Name of the new layer: model and settings."""
        parts = [f"{self.answer.size} px"]
        if self.settings["saturation"] != 1:
            parts.append(f"saturation {self.settings['saturation']:.2g}")
        if self.settings["hints"]:
            parts.append("hints")
        return f"Colour by {self.answer.model} ({', '.join(parts)})"


def insert(insertion: Insertion) -> Gimp.Layer:
    """Insert the colour above its source, and above earlier results that lie on it; return the new layer.

    Raises:
        RefusalError: if the picture has changed meanwhile; it is left as it is.
    """
    source = insertion.source
    source.check_unchanged()
    image = source.image
    selected = image.get_selected_layers()
    earlier = _earlier_results(insertion) if insertion.hide_previous else []
    image.undo_group_start()
    inserted: list[Gimp.Layer] = []
    try:
        # A grey or indexed image can hold no coloured layer, not even one that is not inserted yet.
        if image.get_base_type() != Gimp.ImageBaseType.RGB:
            image.convert_rgb()
        colour = _colour_layer(insertion)
        _place(colour, source, inserted, above=_topmost_result(source))
        _add_mask(colour, source)
        answer, settings = insertion.answer, insertion.settings
        made_by = (source.tattoo, settings, answer.model, answer.model_sha256, answer.backend)
        provenance.keep(image, colour, provenance.record(provenance.KIND_COLOUR, *made_by))
        if answer.doubt is not None:
            doubt = _doubt_layer(insertion)
            _place(doubt, source, inserted, above=colour)
            provenance.keep(image, doubt, provenance.record(provenance.KIND_DOUBT, *made_by))
        for layer in earlier:
            layer.set_visible(False)
        # GIMP selects what was inserted; the artist goes on where they were.
        image.set_selected_layers(selected)
        # GIMP may free the image of a closed window at any moment; what was done since was done to nothing.
        source.check_open()
    except BaseException:
        for layer in inserted:
            image.remove_layer(layer)
        raise
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return colour


def _colour_layer(insertion: Insertion) -> Gimp.Layer:
    source = insertion.source
    kind = Gimp.ImageType.RGBA_IMAGE if source.has_alpha else Gimp.ImageType.RGB_IMAGE
    layer = Gimp.Layer.new(
        source.image, insertion.layer_name, source.width, source.height, kind, 100.0, Gimp.LayerMode.LCH_COLOR
    )
    pixel_format = f"R'G'B'{'A' if source.has_alpha else ''} u{source.depth}"
    _fill(layer, pixel_format, insertion.answer.picture)
    return layer


def _doubt_layer(insertion: Insertion) -> Gimp.Layer:
    source = insertion.source
    name = f"Where {insertion.answer.model} guesses (bright = unsure)"
    layer = Gimp.Layer.new(
        source.image, name, source.width, source.height, Gimp.ImageType.RGB_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    _fill(layer, "Y' u8", insertion.answer.doubt)
    layer.set_visible(False)
    return layer


def _fill(layer: Gimp.Layer, pixel_format: str, data: bytes) -> None:
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height()), pixel_format, data)
    buffer.flush()
    layer.update(0, 0, layer.get_width(), layer.get_height())


def _topmost_result(source: Source) -> Gimp.Layer | None:
    """Return the uppermost of the results that lie on the source one on the other, else the source itself.

    The uppermost layer in LCh Color mode decides every hue: below an earlier one the new colour would not show.
    """
    if source.layer is None:
        return None
    topmost = source.layer
    above = siblings(source.image, source.layer)[: source.image.get_item_position(source.layer)]
    for layer in reversed(above):
        if not _is_result(layer, source):
            break
        topmost = layer
    return topmost


def _is_result(layer: Gimp.Layer, source: Source) -> bool:
    entry = provenance.of_layer(layer)
    return entry is not None and entry.get("source") == source.tattoo


def _place(layer: Gimp.Layer, source: Source, inserted: list[Gimp.Layer], above: Gimp.Layer | None) -> None:
    """Insert a layer directly above another one, in the same group, or on top of everything."""
    image = source.image
    if above is None:
        image.insert_layer(layer, None, 0)
    else:
        image.insert_layer(layer, above.get_parent(), image.get_item_position(above))
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


def _earlier_results(insertion: Insertion) -> list[Gimp.Layer]:
    """Return the visible results of earlier runs on the same source that nobody has painted on."""
    return [
        layer
        for layer in all_layers(insertion.source.image)
        if _is_result(layer, insertion.source) and layer.get_visible() and provenance.is_untouched(layer)
    ]
