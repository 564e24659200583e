"""What is to be colorized: which layer, its pixels as bytes, and what has to be refused.

Main thread only.  Pixels are read through babl formats by name, which mean sRGB: GEGL converts from the image's own
precision and profile, and ``Y'`` is the sRGB curve of linear luminance, as PROTOCOL.md wants it.
"""

from __future__ import annotations

from dataclasses import dataclass

import provenance
from gi.repository import Gegl, Gimp

HINTS_NAME = "Colour hints"
SCOPE_LAYER = "layer"
SCOPE_VISIBLE = "visible"

EIGHT_BIT = (Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)


class RefusalError(Exception):
    """The picture cannot be colorized as it is; the text says why, and what to do."""


@dataclass(frozen=True)
class Source:
    """What is colorized.

    Attributes:
        image: the image.
        layer: the layer that is read, or None for the visible image.
        width: in pixels.
        height: in pixels.
        x: offset of the left edge in the image.
        y: offset of the top edge in the image.
        has_alpha: whether alpha is read, sent and written.
        depth: bits of a sample on the wire, 8 or 16.
    """

    image: Gimp.Image
    layer: Gimp.Layer | None
    width: int
    height: int
    x: int
    y: int
    has_alpha: bool
    depth: int

    @property
    def tattoo(self) -> int:
        """The layer's permanent number in its image; 0 for the visible image."""
        return self.layer.get_tattoo() if self.layer else 0

    def check_open(self) -> None:
        """Refuse if there is no image any more."""
        if not self.image.is_valid():
            raise RefusalError(
                "The picture was closed while its colour was being made; nothing was changed. "
                "Open it and colorize it again."
            )

    def check_unchanged(self) -> None:
        """Refuse if the artist closed, deleted or resized what was sent while the server worked on it."""
        self.check_open()
        if self.layer and not self.layer.is_valid():
            raise RefusalError(
                "The layer was deleted while its colour was being made; nothing was changed. "
                "Click the photograph's layer in the Layers dialog, then colorize again."
            )
        if self._geometry() != (self.width, self.height, self.x, self.y):
            raise RefusalError(
                "The picture was moved or resized while its colour was being made, so that the colour does not fit; "
                "nothing was changed. Colorize it again."
            )

    def _geometry(self) -> tuple[int, int, int, int]:
        if self.layer is None:
            return self.image.get_width(), self.image.get_height(), 0, 0
        _, x, y = self.layer.get_offsets()
        return self.layer.get_width(), self.layer.get_height(), x, y


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


def find_hints_layer(image: Gimp.Image, name: str, must_exist: bool) -> Gimp.Layer | None:
    """Return the layer with the strokes of colour, or None if there is none to be used.

    Args:
        image: the image.
        name: the layer's name; empty for none.
        must_exist: refuse a name, other than the default one, that no layer has.

    Raises:
        RefusalError: if the artist named a layer that is not there, or one on which everything would be a hint.
    """
    if not name.strip():
        return None
    layer = image.get_layer_by_name(name)
    if layer is None:
        if name == HINTS_NAME or not must_exist:
            return None
        raise RefusalError(
            f"There is no layer named “{name}” to take the colour hints from. "
            "Choose another one, or leave the name empty to colorize without hints."
        )
    if not layer.has_alpha():
        raise RefusalError(
            f"The hints layer “{name}” has no transparency, so all of it would be a hint. "
            "Paint the strokes on a new transparent layer."
        )
    return layer


def refuse_floating_selection(image: Gimp.Image) -> None:
    """Refuse a floating selection, below which a new layer would get lost.

    Raises:
        RefusalError: if there is one.
    """
    if image.get_floating_sel() is not None:
        raise RefusalError(
            "There is a floating selection. Anchor it (Layer > Anchor Floating Selection) "
            "or make it a layer (Layer > To New Layer), then colorize again."
        )


def choose(image: Gimp.Image, drawables: list[Gimp.Drawable], scope: str, hints: Gimp.Layer | None) -> Source:
    """Return what to colorize.

    Args:
        image: the image.
        drawables: what is selected in the Layers dialog.
        scope: ``layer`` or ``visible``.
        hints: the hints layer; when it is the selected one, the layer below it is meant.

    Raises:
        RefusalError: if that cannot be colorized.
    """
    refuse_floating_selection(image)
    depth = _depth(image)
    if scope == SCOPE_VISIBLE:
        return Source(image, None, image.get_width(), image.get_height(), 0, 0, True, depth)
    layer = _photograph(image, _only_layer(drawables), hints)
    _, x, y = layer.get_offsets()
    return Source(image, layer, layer.get_width(), layer.get_height(), x, y, layer.has_alpha(), depth)


def _depth(image: Gimp.Image) -> int:
    """Return the bits of a sample that the image needs on the wire.

    8 bits of the sRGB curve hold an 8-bit image only if that has the curve and primaries itself: in linear light, or in
    Adobe RGB, 8 bits are finer in places.
    """
    if image.get_precision() not in EIGHT_BIT:
        return 16
    profile = image.get_effective_color_profile()
    return 8 if "sRGB" in profile.get_label() and not profile.is_linear() else 16


def _only_layer(drawables: list[Gimp.Drawable]) -> Gimp.Layer:
    if not drawables:
        raise RefusalError(
            "No layer is selected. Click the photograph's layer in the Layers dialog, then colorize again."
        )
    if len(drawables) > 1:
        raise RefusalError(
            f"{len(drawables)} layers are selected. Click the one layer that holds the photograph "
            "(or choose the visible image as scope), then colorize again."
        )
    drawable = drawables[0]
    if isinstance(drawable, Gimp.LayerMask):
        raise RefusalError(
            "The layer's mask is selected, not its picture. Click the layer's own thumbnail in the Layers dialog, "
            "then colorize again."
        )
    if not isinstance(drawable, Gimp.Layer):
        raise RefusalError("A channel is selected, not a layer. Click the photograph's layer, then colorize again.")
    return drawable


def _photograph(image: Gimp.Image, layer: Gimp.Layer, hints: Gimp.Layer | None) -> Gimp.Layer:
    """Return the layer that the artist means: not the hints just painted, not the colour of an earlier run."""
    record = provenance.of_layer(layer)
    if record is not None:
        for other in all_layers(image):
            if record.get("source") and other.get_tattoo() == record["source"]:
                return other
        raise RefusalError(
            f"The selected layer “{layer.get_name()}” was made by Colorize, and its photograph is gone. "
            "Click the photograph's layer, then colorize again."
        )
    if hints is None or layer != hints:
        return layer
    siblings = hints.get_parent().get_children() if hints.get_parent() else image.get_layers()
    for below in siblings[image.get_item_position(hints) + 1 :]:
        if provenance.of_layer(below) is None:
            return below
    raise RefusalError(
        f"The hints layer “{hints.get_name()}” is selected and there is no photograph below it. "
        "Click the photograph's layer, then colorize again."
    )


def read_picture(source: Source, hints: Gimp.Layer | None) -> bytes:
    """Return the lightness (and alpha) of the source, as a raw body of PROTOCOL.md.

    Raises:
        RefusalError: if there is nothing but transparency.
    """
    data = _read(source.layer.get_buffer(), source) if source.layer else _read_visible(source, hints)
    if source.has_alpha and _is_clear(data, source.depth):
        what = "layer" if source.layer else "image"
        raise RefusalError(
            f"The {what} is empty: every pixel is transparent. Choose the photograph's layer, then colorize again."
        )
    return data


def _read(buffer: Gegl.Buffer, source: Source) -> bytes:
    lightness = "Y'A" if source.has_alpha else "Y'"
    area = Gegl.Rectangle.new(0, 0, source.width, source.height)
    return bytes(buffer.get(area, 1.0, f"{lightness} u{source.depth}", Gegl.AbyssPolicy.NONE))


def _read_visible(source: Source, hints: Gimp.Layer | None) -> bytes:
    """Read the visible image without the hints and without the colour of earlier runs.

    A copy of the image is changed, never the artist's own; GIMP shares the pixels of both, so it is cheap.
    """
    hidden = [
        index
        for index, layer in enumerate(all_layers(source.image))
        if layer == hints or provenance.of_layer(layer) is not None
    ]
    copy = source.image.duplicate()
    try:
        layers = all_layers(copy)
        for index in hidden:
            layers[index].set_visible(False)
        visible = Gimp.Layer.new_from_visible(copy, copy, "visible")
        buffer = visible.get_buffer()
        data = _read(buffer, source)
        visible.delete()
        return data
    finally:
        copy.delete()


def _is_clear(data: bytes, depth: int) -> bool:
    """Tell whether every alpha sample is 0; by slices, which need no loop over pixels."""
    sample = depth // 8
    return not any(data[offset :: 2 * sample].strip(b"\0") for offset in range(sample, 2 * sample))


def read_hints(source: Source, hints: Gimp.Layer) -> bytes | None:
    """Return the strokes as RGBA8 on the source's own rectangle, or None if nothing was painted there."""
    _, x, y = hints.get_offsets()
    area = Gegl.Rectangle.new(source.x - x, source.y - y, source.width, source.height)
    data = bytes(hints.get_buffer().get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE))
    return data if data[3::4].strip(b"\0") else None
