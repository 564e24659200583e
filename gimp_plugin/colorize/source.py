"""What is to be colorized: which layer, and what has to be refused.  Main thread only."""

from __future__ import annotations

from dataclasses import dataclass

import provenance
from gi.repository import Gimp

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
        """Refuse if the artist closed, deleted, locked or resized what was sent while the server worked on it."""
        self.check_open()
        if self.layer and not self.layer.is_valid():
            raise RefusalError(
                "The layer was deleted while its colour was being made; nothing was changed. "
                "Click the photograph's layer in the Layers dialog, then colorize again."
            )
        if self.layer:
            _refuse_locked_groups(self.layer)
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


def siblings(image: Gimp.Image, layer: Gimp.Layer) -> list[Gimp.Layer]:
    """Return the layers of the group that a layer is in (or of the image), itself too, topmost first."""
    parent = layer.get_parent()
    return list(parent.get_children() if parent else image.get_layers())


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
    _refuse_locked_groups(layer)
    _, x, y = layer.get_offsets()
    return Source(image, layer, layer.get_width(), layer.get_height(), x, y, layer.has_alpha(), depth)


def _refuse_locked_groups(layer: Gimp.Layer) -> None:
    """Refuse a layer in a locked group: GIMP would neither move a new layer in it nor let its mask be written.

    A lock on the layer itself does not matter, because nothing of it is changed.
    """
    group = layer.get_parent()
    while group is not None:
        locked = "pixels are" if group.get_lock_content() else "position is" if group.get_lock_position() else ""
        if locked:
            raise RefusalError(
                f"The layer is in the group “{group.get_name()}”, whose {locked} locked, so that no colour can be "
                "added there; nothing was changed. Unlock the group in the Layers dialog, then colorize again."
            )
        group = group.get_parent()


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
    for below in siblings(image, hints)[image.get_item_position(hints) + 1 :]:
        if provenance.of_layer(below) is None:
            return below
    raise RefusalError(
        f"The hints layer “{hints.get_name()}” is selected and there is no photograph below it. "
        "Click the photograph's layer, then colorize again."
    )
