"""Layers as they are shown: with their filters, and, where wanted, opacity and mask.  Main thread only.

A copy of the image is changed, never the artist's own; GIMP shares the pixels of both, so it is cheap.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import provenance
from gi.repository import Gegl, Gimp
from stack import all_layers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from source import Source


@contextlib.contextmanager
def photograph(source: Source) -> Iterator[Gegl.Buffer]:
    """Open the pixels of what is colorized, without hints and earlier results."""
    layer = source.layer
    if layer and not layer.is_group() and not source.retouch and not layer.get_filters():
        yield layer.get_buffer()
        return
    with _copy(source) as (copy, twins):
        for own, twin in twins.items():
            if own in source.hints or provenance.kind_of(own):
                twin.set_visible(False)
        if layer:
            # What the photograph's own mask and opacity hide is coloured, too; the colour gets its mask.
            twin = twins[layer]
            twin.set_opacity(100)
            twin.set_mode(Gimp.LayerMode.NORMAL)
            if twin.get_mask():
                twin.set_apply_mask(False)
            _show_alone(copy, [twin, *(twins[item] for item in source.retouch)])
        with _projection(copy, source) as buffer:
            yield buffer


@contextlib.contextmanager
def strokes(source: Source, layers: list[Gimp.Layer], lifted: Sequence[bytes] = ()) -> Iterator[Gegl.Buffer]:
    """Open what is painted on layers of strokes, one over the other, as strongly as it is seen.

    Args:
        source: what is colorized; the strokes are seen on its rectangle.
        layers: the layers, topmost first; whether they are visible does not matter.
        lifted: RGBA8 of the source's size, strokes that lie over all layers, the lowest first.
    """
    with _copy(source) as (copy, twins):
        chosen = [twins[layer] for layer in reversed(layers)]
        for twin in chosen:
            twin.set_mode(Gimp.LayerMode.NORMAL)
        _show_alone(copy, [*chosen, *(_new_layer(copy, source, "R'G'B'A u8", data) for data in lifted)])
        with _projection(copy, source) as buffer:
            yield buffer


def over(source: Source, lower: Gimp.Layer, pixel_format: str, upper: bytes, mask: bytes | None = None) -> bytes:
    """Return RGBA of the source's depth: a layer with pixels laid over it, as GIMP's mode Normal mixes them.

    Args:
        source: what is colorized, whose rectangle both have.
        lower: a layer of any image, or of none.
        pixel_format: babl's name of the format of `upper`.
        upper: the pixels.
        mask: a byte for each pixel, how much of `upper` is laid; None for all.
    """
    with _copy(source) as (copy, _twins):
        if copy.get_base_type() != Gimp.ImageBaseType.RGB:
            copy.convert_rgb()
        base = Gimp.Layer.new_from_drawable(lower, copy)
        base.set_mode(Gimp.LayerMode.NORMAL)
        base.set_opacity(100)
        copy.insert_layer(base, None, 0)
        if base.get_mask():
            base.remove_mask(Gimp.MaskApplyMode.DISCARD)
        base.set_offsets(source.x, source.y)
        top = _new_layer(copy, source, pixel_format, upper)
        _show_alone(copy, [base, top])
        if mask is not None:
            shown = top.create_mask(Gimp.AddMaskType.WHITE)
            top.add_mask(shown)
            buffer = shown.get_buffer()
            buffer.set(source.area, "Y u8", mask)
            buffer.flush()
        with _projection(copy, source) as buffer:
            return bytes(buffer.get(source.area, 1.0, f"R'G'B'A u{source.depth}", Gegl.AbyssPolicy.NONE))


def _new_layer(copy: Gimp.Image, source: Source, pixel_format: str, data: bytes) -> Gimp.Layer:
    """Put pixels into a copy, on the source's rectangle."""
    kind, normal = Gimp.ImageType.RGBA_IMAGE, Gimp.LayerMode.NORMAL
    layer = Gimp.Layer.new(copy, "pixels", source.width, source.height, kind, 100.0, normal)
    buffer = layer.get_buffer()
    buffer.set(source.area, pixel_format, data)
    buffer.flush()
    copy.insert_layer(layer, None, 0)
    layer.set_offsets(source.x, source.y)
    return layer


@contextlib.contextmanager
def _copy(source: Source) -> Iterator[tuple[Gimp.Image, dict[Gimp.Layer, Gimp.Layer]]]:
    copy = source.image.duplicate()
    try:
        twins = dict(zip(all_layers(source.image), all_layers(copy), strict=True))
        for twin in twins.values():
            # GIMP leaves a layer with these locks as it is, without a word.
            twin.set_lock_visibility(False)
            twin.set_lock_position(False)
            twin.set_lock_content(False)
        yield copy, twins
    finally:
        copy.delete()


def _show_alone(copy: Gimp.Image, layers: list[Gimp.Layer]) -> None:
    """Let a copy show these layers (the lowest first) and nothing else."""
    for layer in layers:
        # Out of its group, whose opacity, mode and filters are not those of the layer.
        copy.reorder_item(layer, None, 0)
    for layer in copy.get_layers():
        layer.set_visible(layer in layers)


@contextlib.contextmanager
def _projection(copy: Gimp.Image, source: Source) -> Iterator[Gegl.Buffer]:
    """Open what a copy shows on the rectangle of the source."""
    Gimp.Selection.none(copy)
    copy.resize(source.width, source.height, -source.x, -source.y)
    visible = Gimp.Layer.new_from_visible(copy, copy, "visible")
    try:
        yield visible.get_buffer()
    finally:
        visible.delete()
