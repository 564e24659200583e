"""What a layer of colour can be laid from again: its recipes, kept in a parasite that is saved with the picture.

Parasite ``colorize-recipe``: a JSON list of steps; the first is the whole layer, each further one was blended into it
through a mask (Recolour the selection).  Main thread only; `lay` asks the server.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import client
import protocol
import shown
from gi.repository import Gegl, Gimp
from progress import Task
from provenance import FLAGS

if TYPE_CHECKING:
    from pixels import Picture
    from source import Source

PARASITE = "colorize-recipe"
LAYER_FORMAT = "R'G'B'A u8"


@dataclass(frozen=True)
class Step:
    """One answer of the server that is part of a layer.

    Attributes:
        recipe: the server's bytes.
        saturation: that the layer was laid at.
        mask: a byte for each pixel, how much of it was blended in; None for all of it.
    """

    recipe: bytes
    saturation: float
    mask: bytes | None = None


def keep(layer: Gimp.Layer, steps: list[Step]) -> None:
    """Attach the recipes of a layer to it."""
    members = [
        {
            "recipe": base64.b64encode(step.recipe).decode(),
            "saturation": step.saturation,
            "mask": None if step.mask is None else base64.b64encode(zlib.compress(step.mask)).decode(),
        }
        for step in steps
    ]
    layer.attach_parasite(Gimp.Parasite.new(PARASITE, FLAGS, json.dumps(members).encode()))


def of_layer(layer: Gimp.Layer) -> list[Step]:
    """Return the recipes of a layer; none where there are none, or where they were damaged."""
    parasite = layer.get_parasite(PARASITE)
    if parasite is None:
        return []
    try:
        return [
            Step(
                base64.b64decode(member["recipe"]),
                float(member["saturation"]),
                None if member["mask"] is None else zlib.decompress(base64.b64decode(member["mask"])),
            )
            for member in json.loads(bytes(parasite.get_data()))
        ]
    except (ValueError, KeyError, TypeError, zlib.error):
        return []


def lay(source: Source, picture: Picture, layer: Gimp.Layer, server: protocol.Server) -> Gimp.Layer:
    """Return a copy of a layer, in no image yet, with the pixels that its recipes lay on the photograph.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    again = layer.copy()
    for step in of_layer(layer):
        request = protocol.Request(
            width=source.width,
            height=source.height,
            channels=picture.channels,
            depth=picture.depth,
            picture=picture.data,
            saturation=step.saturation,
            recipe=step.recipe,
        )
        answer = Task(lambda tell, request=request: client.colorize(server, request)).result_with_progress()
        pixel_format = answer_format(source)
        if step.mask is None:
            write(again, pixel_format, answer.picture)
        else:
            mixed = shown.over(source, again, pixel_format, answer.picture, step.mask)
            write(again, f"R'G'B'A u{source.depth}", mixed)
    return again


def answer_format(source: Source) -> str:
    """Return babl's name of the format of the server's answer."""
    return f"R'G'B'{'A' if source.has_alpha else ''} u{source.depth}"


def read(layer: Gimp.Layer) -> bytes:
    """Return the pixels of a layer as RGBA8."""
    area = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    return bytes(layer.get_buffer().get(area, 1.0, LAYER_FORMAT, Gegl.AbyssPolicy.NONE))


def write(layer: Gimp.Layer, pixel_format: str, data: bytes) -> None:
    """Write all pixels of a layer; of one in an image without an undo step."""
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height()), pixel_format, data)
    buffer.flush()
    layer.update(0, 0, layer.get_width(), layer.get_height())
