"""What is to be colorized: which layer, and what has to be refused.  Main thread only."""

from __future__ import annotations

from dataclasses import dataclass, field

import provenance
import stack
from gi.repository import Gegl, Gimp
from language import _

SCOPE_RETOUCHED = "retouched"
SCOPE_LAYER = "layer"
SCOPE_VISIBLE = "visible"

QUICK_MASK_NAME = "Qmask"
"""GIMP's own name, in every language, of the channel that it shows while the quick mask is on."""
EIGHT_BIT = (Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)


class RefusalError(Exception):
    """The picture cannot be colorized as it is; the text says why, and what to do."""


class AmbiguousError(RefusalError):
    """More than one layer may be the photograph.

    Attributes:
        candidates: those layers, topmost first.
    """

    def __init__(self, candidates: list[Gimp.Layer]) -> None:
        names = ", ".join(f"“{layer.get_name()}”" for layer in candidates)
        super().__init__(
            _(
                "Several layers may be the photograph: {names}. Click the one that you mean, then colorize again."
            ).format(names=names)
        )
        self.candidates = candidates


@dataclass(frozen=True)
class Source:
    """What is colorized.

    Attributes:
        image: the image.
        layer: the photograph, or None for the visible image.
        width: in pixels.
        height: in pixels.
        x: offset of the left edge in the image.
        y: offset of the top edge in the image.
        has_alpha: whether alpha is read, sent and written.
        depth: bits of a sample on the wire, 8 or 16.
        retouch: layers above the photograph that mend it, the lowest first.
        hints: layers with strokes of colour, which are no part of it, topmost first.
    """

    image: Gimp.Image
    layer: Gimp.Layer | None
    width: int
    height: int
    x: int
    y: int
    has_alpha: bool
    depth: int
    retouch: list[Gimp.Layer] = field(default_factory=list)
    hints: list[Gimp.Layer] = field(default_factory=list)

    @property
    def area(self) -> Gegl.Rectangle:
        """The whole of it, in its own coordinates."""
        return Gegl.Rectangle.new(0, 0, self.width, self.height)

    def own_layers(self) -> list[Gimp.Layer]:
        """Return the layers that Colorize made for it, topmost first."""
        return provenance.belonging(self.layer, stack.all_layers(self.image))

    def check_open(self) -> None:
        """Refuse if there is no image any more."""
        if not self.image.is_valid():
            raise RefusalError(
                _(
                    "The picture was closed while its colour was being made; nothing was changed. "
                    "Open it and colorize it again."
                )
            )

    def check_unchanged(self) -> None:
        """Refuse if the artist closed, deleted, locked or resized what was sent while the server worked on it."""
        self.check_open()
        if self.layer and not self.layer.is_valid():
            raise RefusalError(
                _(
                    "The layer was deleted while its colour was being made; nothing was changed. "
                    "Click the photograph's layer in the Layers dialog, then colorize again."
                )
            )
        if self.layer:
            _refuse_locked_groups(self.layer)
        if self._geometry() != (self.width, self.height, self.x, self.y):
            raise RefusalError(
                _(
                    "The picture was moved or resized while its colour was being made, so that the colour does not "
                    "fit; nothing was changed. Colorize it again."
                )
            )

    def _geometry(self) -> tuple[int, int, int, int]:
        if self.layer is None:
            return self.image.get_width(), self.image.get_height(), 0, 0
        _found, x, y = self.layer.get_offsets()
        return self.layer.get_width(), self.layer.get_height(), x, y


def refuse_floating_selection(image: Gimp.Image) -> None:
    """Refuse a floating selection, below which a new layer would get lost.

    Raises:
        RefusalError: if there is one.
    """
    if image.get_floating_sel() is not None:
        raise RefusalError(
            _(
                "There is a floating selection. Anchor it (Layer > Anchor Floating Selection) "
                "or make it a layer (Layer > To New Layer), then colorize again."
            )
        )


def choose(image: Gimp.Image, drawables: list[Gimp.Drawable], scope: str, hints: list[Gimp.Layer]) -> Source:
    """Return what to colorize.

    Args:
        image: the image.
        drawables: what is selected in the Layers dialog.
        scope: ``retouched``, ``layer`` or ``visible``.
        hints: the hints layers; when one of them is selected, the photograph below it is meant.

    Raises:
        RefusalError: if that cannot be colorized, or if its colour would not show.
    """
    refuse_floating_selection(image)
    depth = _depth(image)
    if scope == SCOPE_VISIBLE:
        return Source(image, None, image.get_width(), image.get_height(), 0, 0, True, depth, [], hints)
    layer = photograph(image, drawables, hints)
    _refuse_locked_groups(layer)
    _refuse_what_does_not_show(image, layer)
    retouch = stack.retouch_layers(layer, hints) if scope == SCOPE_RETOUCHED else []
    _found, x, y = layer.get_offsets()
    return Source(image, layer, layer.get_width(), layer.get_height(), x, y, layer.has_alpha(), depth, retouch, hints)


def _refuse_locked_groups(layer: Gimp.Layer) -> None:
    """Refuse a layer in a locked group: GIMP would neither move a new layer in it nor let its mask be written.

    A lock on the layer itself does not matter, because nothing of it is changed.
    """
    group = layer.get_parent()
    while group is not None:
        name = group.get_name()
        if group.get_lock_content():
            raise RefusalError(
                _(
                    "The layer is in the group “{name}”, whose pixels are locked, so that no colour can be added "
                    "there; nothing was changed. Unlock the group in the Layers dialog, then colorize again."
                ).format(name=name)
            )
        if group.get_lock_position():
            raise RefusalError(
                _(
                    "The layer is in the group “{name}”, whose position is locked, so that no colour can be added "
                    "there; nothing was changed. Unlock the group in the Layers dialog, then colorize again."
                ).format(name=name)
            )
        group = group.get_parent()


def _refuse_what_does_not_show(image: Gimp.Image, layer: Gimp.Layer) -> None:
    """Refuse a photograph of which, or on which, no colour could be seen."""
    hidden = stack.hidden_by(layer)
    if hidden is not None:
        raise RefusalError(
            _(
                "The layer “{name}” is hidden, so that no colour would show. "
                "Make it visible (the eye in the Layers dialog), then colorize again."
            ).format(name=hidden.get_name())
        )
    _found, x, y = layer.get_offsets()
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + layer.get_width(), image.get_width()), min(y + layer.get_height(), image.get_height())
    if left >= right or top >= bottom:
        raise RefusalError(
            _(
                "The layer “{name}” lies outside the canvas, so that no colour would show. "
                "Move it back, or choose Image > Fit Canvas to Layers, then colorize again."
            ).format(name=layer.get_name())
        )
    if layer.get_mask() and layer.get_apply_mask() and _is_empty(layer.get_mask()):
        raise RefusalError(
            _(
                "The mask of the layer “{name}” is all black, so that no colour would show. "
                "Paint white where the photograph shall show, or remove the mask, then colorize again."
            ).format(name=layer.get_name())
        )
    if not Gimp.Selection.is_empty(image):
        selection = image.get_selection()
        area = Gegl.Rectangle.new(left, top, right - left, bottom - top)
        if _is_empty(selection, area):
            raise RefusalError(
                _(
                    "The selection does not touch the layer “{name}”, so that no colour would show. "
                    "Choose Select > None, or select a part of the photograph, then colorize again."
                ).format(name=layer.get_name())
            )


def _is_empty(channel: Gimp.Channel, area: Gegl.Rectangle | None = None) -> bool:
    """Tell whether a mask or a selection is all black."""
    area = area or Gegl.Rectangle.new(0, 0, channel.get_width(), channel.get_height())
    return not bytes(channel.get_buffer().get(area, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)).strip(b"\0")


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
            _("No layer is selected. Click the photograph's layer in the Layers dialog, then colorize again.")
        )
    if len(drawables) > 1:
        raise RefusalError(
            _(
                "{count} layers are selected. Click the one layer that holds the photograph "
                "(or choose the visible image as scope), then colorize again."
            ).format(count=len(drawables))
        )
    drawable = drawables[0]
    if isinstance(drawable, Gimp.LayerMask):
        raise RefusalError(
            _(
                "The layer's mask is selected, not its picture. Click the layer's own thumbnail in the Layers dialog, "
                "then colorize again."
            )
        )
    if not isinstance(drawable, Gimp.Layer) and drawable.get_name() == QUICK_MASK_NAME:
        raise RefusalError(_("The quick mask is on. Choose Select > Toggle Quick Mask, then colorize again."))
    if not isinstance(drawable, Gimp.Layer):
        raise RefusalError(_("A channel is selected, not a layer. Click the photograph's layer, then colorize again."))
    return drawable


def photograph(image: Gimp.Image, drawables: list[Gimp.Drawable], hints: list[Gimp.Layer]) -> Gimp.Layer:
    """Return the layer that the artist means: not the hints just painted, not a retouch, not what Colorize made.

    Raises:
        AmbiguousError: if more than one may be meant.
        RefusalError: if there is none.
    """
    layer = _only_layer(drawables)
    kind = provenance.kind_of(layer)
    if kind and kind != provenance.KIND_HINTS:
        found = provenance.photograph_of(layer, stack.all_layers(image))
        if found is not None:
            return found
        if (provenance.of_layer(layer) or {}).get("source") != provenance.VISIBLE_IMAGE:
            raise RefusalError(
                _(
                    "The selected layer “{name}” was made by Colorize, and its photograph is gone. "
                    "Click the photograph's layer, then colorize again."
                ).format(name=layer.get_name())
            )
    is_hints = bool(kind) or layer in hints
    may_be_retouch = layer.has_alpha() and not layer.is_text_layer() and not layer.is_group()
    if not is_hints and not (may_be_retouch and 0 < stack.coverage(layer) < stack.PAINTED_ON):
        return layer
    candidates = stack.photographs_below(layer, hints)
    if len(candidates) > 1:
        raise AmbiguousError(candidates)
    if candidates:
        return candidates[0]
    if not is_hints:
        return layer
    raise RefusalError(
        _(
            "The hints layer “{name}” is selected and there is no photograph below it. "
            "Click the photograph's layer, then colorize again."
        ).format(name=layer.get_name())
    )
