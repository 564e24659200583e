"""Layers as they are shown: with their filters, and, where wanted, opacity and mask.  Main thread only.

A copy of the image is changed, never the artist's own; GIMP shares the pixels of both, so it is cheap.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import provenance
from gi.repository import Gimp
from stack import all_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gi.repository import Gegl
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
def strokes(source: Source, layers: list[Gimp.Layer]) -> Iterator[Gegl.Buffer]:
    """Open what is painted on layers of strokes, one over the other, as strongly as it is seen.

    Args:
        source: what is colorized; the strokes are seen on its rectangle.
        layers: the layers, topmost first; whether they are visible does not matter.
    """
    with _copy(source) as (copy, twins):
        chosen = [twins[layer] for layer in reversed(layers)]
        for twin in chosen:
            twin.set_mode(Gimp.LayerMode.NORMAL)
        _show_alone(copy, chosen)
        with _projection(copy, source) as buffer:
            yield buffer


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
