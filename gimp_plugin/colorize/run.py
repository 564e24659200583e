"""One run of Colorize Photograph, from what is selected to the new layers.  Main thread only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import client
import hints
import launcher
import layers
import pixels
import protocol
import source
import touchups
from gi.repository import Gimp
from language import _, counted
from progress import Task

if TYPE_CHECKING:
    from source import Source


@dataclass(frozen=True)
class Wish:
    """What the artist asked for.

    Attributes:
        size: network short side; 0 for the model's choice.
        saturation: factor on the model's chroma.
        hints_layer: name of the layers with strokes of colour; may be empty.
        scope: ``retouched``, ``layer`` or ``visible``.
        touch_ups: whether strokes on the layer of touch-ups are hints, too.
        doubt: whether the overlay of guesses is wanted.
        recolour: whether the colour is blended into the present layer, inside the selection.
        hide_previous: whether earlier results are hidden.
        server: address that the artist wrote; may be empty.
        run_mode: how GIMP runs the procedure.
    """

    size: int
    saturation: float
    hints_layer: str
    scope: str
    touch_ups: bool
    doubt: bool
    recolour: bool
    hide_previous: bool
    server: str
    run_mode: Gimp.RunMode

    @classmethod
    def of_config(cls, config: Gimp.ProcedureConfig, run_mode: Gimp.RunMode) -> Wish:
        """Read the procedure's arguments."""
        return cls(
            size=config.get_property("size"),
            saturation=config.get_property("saturation"),
            hints_layer=text_of(config, "hints-layer"),
            scope=config.get_property("scope"),
            touch_ups=config.get_property("touch-ups"),
            doubt=config.get_property("doubt"),
            recolour=config.get_property("recolour"),
            hide_previous=config.get_property("hide-previous"),
            server=text_of(config, "server"),
            run_mode=run_mode,
        )

    def offered_size(self, health: protocol.Health) -> int:
        """Return the size to ask for: a remembered one may be another model's, and 0 is the model's own choice.

        A script's is passed on as it is; the server refuses it in words.
        """
        return self.size if self.size in health.sizes or self.run_mode == Gimp.RunMode.NONINTERACTIVE else 0


def text_of(config: Gimp.ProcedureConfig, name: str) -> str:
    """Return a text argument; GIMP gives None for an empty one, once it knows the plug-in from its cache."""
    return config.get_property(name) or ""


def connect(address: str) -> Task[tuple[protocol.Server, protocol.Health]]:
    """Begin to find the server, and to start it if need be."""
    return Task(lambda tell: launcher.connect(address, tell))


def find_source(image: Gimp.Image, drawables: list[Gimp.Drawable], wish: Wish) -> Source:
    """Return what is to be colorized, and where its strokes are.

    Raises:
        RefusalError: if that cannot be colorized.
    """
    # A remembered name may be of another picture's layer; one that was just given must be there.
    must_exist = wish.run_mode != Gimp.RunMode.WITH_LAST_VALS
    found = hints.find_layers(image, wish.hints_layer, must_exist)
    return source.choose(image, drawables, wish.scope, found)


def colorize(
    chosen: Source, wish: Wish, connecting: Task[tuple[protocol.Server, protocol.Health]]
) -> tuple[Gimp.Layer, list[str]]:
    """Read the pixels, ask the server, insert the answer.

    Returns:
        The new layer, and what the artist should know besides.

    Raises:
        ServerError, RefusalError: in words; nothing is changed then.
    """
    Gimp.progress_init(_("Reading the photograph"))
    picture = pixels.read_picture(chosen)
    touch_up = touchups.find(chosen) if wish.touch_ups else None
    stroke_layers = [layer for layer in (touch_up, *chosen.hints) if layer is not None]
    # Before the server is waited for: strokes that cannot be used are refused at once.  Reading them takes seconds on a
    # large scan, so in an image that can hold colours it is done once, with those that are lifted.
    can_hold_colours = chosen.image.get_base_type() == Gimp.ImageBaseType.RGB
    strokes = None if can_hold_colours else hints.read(chosen, stroke_layers)
    server, health = connecting.result_with_progress()
    lifted = touchups.lift(chosen, picture, server, health)
    if can_hold_colours:
        strokes = hints.read(chosen, stroke_layers, lifted.strokes if wish.touch_ups else ())
    stroke_count = hints.count(strokes, chosen.width, chosen.height) if strokes else 0
    request = protocol.Request(
        width=chosen.width,
        height=chosen.height,
        channels=picture.channels,
        depth=picture.depth,
        picture=picture.data,
        hints=strokes,
        size=wish.offered_size(health),
        saturation=wish.saturation,
        doubt=wish.doubt and not wish.recolour,
        wants_recipe="recipe" in health.features,
    )
    Gimp.progress_set_text(_progress(stroke_count))
    writes_record = "provenance" in health.features
    answer, record = Task(lambda tell: _ask(server, request, writes_record=writes_record)).result_with_progress()
    Gimp.progress_set_text(_("Adding the colour layer"))
    pixels.check_unchanged(chosen, picture)
    settings = {
        "size": answer.size,
        "saturation": round(request.saturation, 4),
        "hints": [layer.get_name() for layer in stroke_layers] if strokes else [],
        "strokes": stroke_count,
        "scope": wish.scope,
    }
    # Cancel kills this process; without a progress bar there is no Cancel, and no half of a layer is left.
    Gimp.progress_end()
    recolour = wish.recolour and not Gimp.Selection.is_empty(chosen.image)
    insertion = layers.Insertion(
        chosen, answer, settings, wish.hide_previous, health.default_size, recolour, lifted, record
    )
    return layers.insert(insertion)


def _ask(server: protocol.Server, request: protocol.Request, *, writes_record: bool) -> tuple[protocol.Answer, bytes]:
    """Return the colour, and its record for the image's metadata; empty from a server that writes none."""
    answer = client.colorize(server, request)
    if not writes_record:
        return answer, b""
    return answer, client.record(server, answer.size, request.saturation, with_hints=request.hints is not None)


def _progress(strokes: int) -> str:
    if not strokes:
        return _("Colorizing the photograph")
    text = counted(
        "Colorizing the photograph with {count} stroke of colour",
        "Colorizing the photograph with {count} strokes of colour",
        strokes,
    )
    return text.format(count=strokes)
