"""The worker's part of the page: a photograph looked at once, then colours for each stroke, and the picture at the end.

Nothing is kept here between two tasks, so a process that is replaced loses nothing: what the network saw of the
photograph goes to the daemon and comes back with each stroke (some hundred kilobytes).
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from ..errors import BadRequestError
from ..picture.colorizer import Colorizer, Planes
from ..picture.control import Control
from ..picture.hints import Rgba
from ..picture.photograph import Photograph
from ..picture.proof import (
    chroma_samples,
    doubt_samples,
    lightness_from,
    lightness_samples,
    packed,
    proof_shape,
    unpacked,
)
from ..picture.strokes import draw, strokes_from_members
from .memory import SharedBuffer


def opened(colorizer: Colorizer, photograph: Photograph, control: Control) -> bytes:
    """Look at a photograph: the answer to `PageStep.OPEN`."""
    height, width = photograph.height, photograph.width
    proof = colorizer.lightness_at(photograph, proof_shape(height, width), control)
    # Through the same rounding as later ones, so that a stroke that is undone leaves the colours as they were.
    low = lightness_from(lightness_samples(colorizer.look(photograph, control)))
    planes, head = _reaction(colorizer, low, None, control)
    planes = {"proof": lightness_samples(proof), "low": lightness_samples(low), **planes}
    return packed({**head, "width": width, "height": height}, planes)


def colours(colorizer: Colorizer, inputs: Sequence[SharedBuffer], control: Control) -> bytes:
    """Return the network's answer to strokes: the answer to `PageStep.COLOURS`."""
    head, seen = unpacked(bytes(inputs[0].view))
    low = lightness_from(seen["low"])
    layer = read_strokes(inputs[1], *proof_shape(head["height"], head["width"]), control)
    planes, head = _reaction(colorizer, low, layer, control)
    return packed(head, planes)


def read_strokes(strokes: SharedBuffer, height: int, width: int, control: Control) -> Rgba | None:
    """Draw strokes, which come as JSON; None where there are none.

    Raises:
        BadRequestError, HintsError: if they are not well-formed.
    """
    try:
        members = json.loads(bytes(strokes.view))
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The strokes are not JSON.", "Open the page anew.", code="bad_body") from error
    drawn = strokes_from_members(members)
    return draw(drawn, height, width, control) if drawn else None


def _reaction(
    colorizer: Colorizer, low: Planes, layer: Rgba | None, control: Control
) -> tuple[dict[str, Any], dict[str, Any]]:
    began = time.perf_counter()
    own, of_strokes, doubt = colorizer.react(low, layer, control)
    planes = {
        "own": chroma_samples(own),
        "strokes": chroma_samples(of_strokes),
        "doubt": doubt_samples(doubt),
    }
    return planes, {"network_ms": round(1e3 * (time.perf_counter() - began), 1)}
