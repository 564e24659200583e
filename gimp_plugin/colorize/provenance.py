"""What the layers of Colorize say of themselves: parasites that copies carry along and that are saved with the picture.

A photograph that was colorized gets a random id (parasite ``colorize-photograph``).  A layer made by Colorize holds one
JSON object (parasite ``colorize-server``), the image a list of those of all results: ``kind`` (``colour``, ``doubt``,
``touch-ups`` or ``hints``), ``note`` ("inferred colour": it was guessed, not recorded), ``date``, ``number``,
``model``, ``model_sha256``, ``backend``, ``settings``, ``source`` (the photograph's id, empty for the visible image)
and, on a layer of colour, ``state``: how it was when it was inserted (untouched.py).

GIMP's own numbers (tattoos) would not do: a duplicate of an image gets new ones.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gi.repository import Gimp

if TYPE_CHECKING:
    from collections.abc import Iterable

PARASITE = "colorize-server"
PHOTOGRAPH_PARASITE = "colorize-photograph"
KIND_COLOUR = "colour"
KIND_DOUBT = "doubt"
KIND_TOUCH_UPS = "touch-ups"
KIND_HINTS = "hints"
NOTE = "inferred colour"
FLAGS = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
VISIBLE_IMAGE = ""
"""``source`` of a result that was made of all that the image shows."""


def record(kind: str, source: str, **members: Any) -> dict[str, Any]:
    """Return what is to be kept of one layer.

    Args:
        kind: one of the ``KIND_...``.
        source: id of the photograph.
        members: whatever else there is to tell.
    """
    entry = {"kind": kind, "source": source, "date": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    if kind in (KIND_COLOUR, KIND_DOUBT):
        entry["note"] = NOTE
    return {**entry, **members}


def of_layer(layer: Gimp.Layer) -> dict[str, Any] | None:
    """Return the record of a layer that Colorize made, or None."""
    found = _load(layer.get_parasite(PARASITE))
    return found if isinstance(found, dict) else None


def kind_of(layer: Gimp.Layer) -> str:
    """Return the kind of a layer that Colorize made, or an empty text."""
    return str((of_layer(layer) or {}).get("kind", ""))


def of_image(image: Gimp.Image) -> list[dict[str, Any]]:
    """Return the records of every result that Colorize ever added to the image, oldest first."""
    found = _load(image.get_parasite(PARASITE))
    return found if isinstance(found, list) else []


def keep(layer: Gimp.Layer, entry: dict[str, Any]) -> None:
    """Attach a record to a layer."""
    layer.attach_parasite(_dump(PARASITE, entry))


def keep_in_image(image: Gimp.Image, entry: dict[str, Any]) -> None:
    """Add a record to the image's."""
    image.attach_parasite(_dump(PARASITE, [*of_image(image), entry]))


def photograph_id(layer: Gimp.Layer) -> str:
    """Return the id of a layer that was colorized before, or an empty text."""
    found = _load(layer.get_parasite(PHOTOGRAPH_PARASITE))
    return str(found.get("id", "")) if isinstance(found, dict) else ""


def keep_photograph_id(layer: Gimp.Layer, value: str) -> None:
    """Attach the id to a photograph."""
    layer.attach_parasite(_dump(PHOTOGRAPH_PARASITE, {"id": value}))


def photograph_of(layer: Gimp.Layer, layers: list[Gimp.Layer]) -> Gimp.Layer | None:
    """Return the photograph that a layer of Colorize belongs to.

    Args:
        layer: made by Colorize.
        layers: all layers of its image, topmost first.

    Returns:
        Of several with the same id (a photograph that was duplicated with its id) the nearest one below the layer; None
        if there is none.
    """
    source = (of_layer(layer) or {}).get("source")
    if not source or not isinstance(source, str):
        return None
    own = layers.index(layer)
    found = [index for index, other in enumerate(layers) if photograph_id(other) == source]
    below = [index for index in found if index > own]
    return layers[below[0]] if below else layers[found[-1]] if found else None


def id_for(photograph: Gimp.Layer, layers: list[Gimp.Layer]) -> str:
    """Return the id under which a photograph's next result is kept: its own, or a new one.

    A copy of a photograph in the same image carries the same id; until it has results of its own it gets another one.
    """
    own = photograph_id(photograph)
    if not own:
        return secrets.token_hex(8)
    twins = [layer for layer in layers if layer != photograph and photograph_id(layer) == own]
    if twins and not any(photograph_of(layer, layers) == photograph for layer in _made(layers)):
        return secrets.token_hex(8)
    return own


def belonging(photograph: Gimp.Layer | None, layers: list[Gimp.Layer]) -> list[Gimp.Layer]:
    """Return the layers that Colorize made for a photograph (None: for the visible image), topmost first."""
    if photograph is None:
        return [layer for layer in _made(layers) if (of_layer(layer) or {}).get("source") == VISIBLE_IMAGE]
    own = photograph_id(photograph)
    return [layer for layer in _made(layers) if own and photograph_of(layer, layers) == photograph]


def next_number(results: Iterable[Gimp.Layer]) -> int:
    """Return the number of a photograph's next colour: 1, 2, ..."""
    numbers = [(of_layer(layer) or {}).get("number", 0) for layer in results]
    return 1 + max((number for number in numbers if isinstance(number, int)), default=0)


def _made(layers: list[Gimp.Layer]) -> list[Gimp.Layer]:
    return [layer for layer in layers if of_layer(layer) is not None]


def _load(parasite: Gimp.Parasite | None) -> Any:
    if parasite is None:
        return None
    try:
        return json.loads(bytes(parasite.get_data()))
    except ValueError:
        return None


def _dump(name: str, value: Any) -> Gimp.Parasite:
    return Gimp.Parasite.new(name, FLAGS, json.dumps(value, ensure_ascii=False).encode())
