"""The worker's part of the page: a photograph looked at once, then colours for each stroke, and the picture at the end.

Nothing is kept here between two tasks, so a process that is replaced loses nothing: what the network saw of the
photograph goes to the daemon and comes back with each stroke (some hundred kilobytes).
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import BadRequestError
from ..picture.colorizer import Colorizer
from ..picture.control import Control
from ..picture.exchange import Generated, Planes, Seen
from ..picture.geometry import plan_network
from ..picture.hints import Rgba, anchor_at_network_size
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
from ..picture.suggestions import Place
from .memory import SharedBuffer


def opened(colorizer: Colorizer, photograph: Photograph, control: Control) -> bytes:
    """Look at a photograph: the answer to `PageStep.OPEN`."""
    height, width = photograph.height, photograph.width
    proof = colorizer.lightness_at(photograph, proof_shape(height, width), control)
    seen = colorizer.look(photograph, None, control)
    # Through the same rounding as later ones, so that a stroke that is undone leaves the colours as they were.
    low = lightness_samples(seen.lightness)
    planes, head = _reaction(colorizer, Seen(seen.plan, lightness_from(low)), None, control)
    planes = {"proof": lightness_samples(proof), "low": low, **planes}
    return packed({**head, "width": width, "height": height}, planes)


def colours(colorizer: Colorizer, inputs: Sequence[SharedBuffer], control: Control) -> bytes:
    """Return the network's answer to strokes: the answer to `PageStep.COLOURS`."""
    seen, layer = _seen(colorizer, inputs, control)
    planes, head = _reaction(colorizer, seen, layer, control)
    return packed(head, planes)


def suggestions(
    colorizer: Colorizer, places: Sequence[tuple[int, int]], inputs: Sequence[SharedBuffer], control: Control
) -> list[Place]:
    """Return the colours that places may have: the answer to `PageStep.SUGGEST`."""
    seen, layer = _seen(colorizer, inputs, control)
    return colorizer.suggest_for(seen, places, layer, control)[0]


def _seen(colorizer: Colorizer, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Seen, Rgba | None]:
    """Return what the network saw of a photograph, and its strokes drawn at the size of the proof."""
    head, planes = unpacked(bytes(inputs[0].view))
    low = lightness_from(planes["low"])
    height, width = head["height"], head["width"]
    plan = plan_network(height, width, min(low.shape), colorizer.model.card.multiple_of)
    return Seen(plan, low), read_strokes(inputs[1], *proof_shape(height, width), control)


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
    colorizer: Colorizer, seen: Seen, layer: Rgba | None, control: Control
) -> tuple[dict[str, Any], dict[str, Any]]:
    began = time.perf_counter()
    generated = colorizer.react(seen, layer, control)
    own, of_strokes = _shares(generated)
    planes = {
        "own": chroma_samples(own),
        "strokes": chroma_samples(of_strokes),
        "doubt": doubt_samples(generated.doubt),
    }
    return planes, {"network_ms": round(1e3 * (time.perf_counter() - began), 1)}


def _shares(generated: Generated) -> tuple[Planes, Planes]:
    """Return a*b* as two (2, h, w) planes: at a saturation s the colours are s times the first, plus the second.

    Anchoring is linear in the network's colours and in the strokes' taken together, so each has its own share.
    """
    chroma, hints = generated.recipe.chroma, generated.hint_planes
    if hints is None:
        return chroma, np.zeros_like(chroma)
    without_colour = np.concatenate([np.zeros_like(hints[:2]), hints[2:]])
    return (
        anchor_at_network_size(chroma, without_colour, generated.lightness),
        anchor_at_network_size(np.zeros_like(chroma), hints, generated.lightness),
    )
