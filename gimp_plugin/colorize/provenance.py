"""What a layer made by Colorize says of itself: the parasite that is saved with the picture.

A parasite named ``colorize-server`` holds one JSON object (a layer's) or a list of them (the image's):
``kind`` (``colour`` or ``doubt``), ``note`` ("inferred colour": it was guessed, not recorded), ``date``, ``model``,
``model_sha256``, ``backend``, ``settings``, ``source`` (tattoo of the photograph's layer, 0 for the visible image) and,
on a layer, ``digest`` of its pixels as they were inserted.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any

from gi.repository import Gegl, Gimp

PARASITE = "colorize-server"
KIND_COLOUR = "colour"
KIND_DOUBT = "doubt"
NOTE = "inferred colour"
FLAGS = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE


def record(
    kind: str, source: int, settings: dict[str, Any], model: str, model_sha256: str, backend: str
) -> dict[str, Any]:
    """Return what is to be kept of one result.

    Args:
        kind: ``colour`` or ``doubt``.
        source: tattoo of the photograph's layer.
        settings: what the artist asked for.
        model: name and version of the model.
        model_sha256: digest of the model file.
        backend: what ran the model.
    """
    return {
        "kind": kind,
        "note": NOTE,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": model,
        "model_sha256": model_sha256,
        "backend": backend,
        "settings": settings,
        "source": source,
    }


def of_layer(layer: Gimp.Layer) -> dict[str, Any] | None:
    """Return the record of a layer that Colorize made, or None."""
    found = _load(layer.get_parasite(PARASITE))
    return found if isinstance(found, dict) else None


def of_image(image: Gimp.Image) -> list[dict[str, Any]]:
    """Return the records of everything that Colorize ever added to the image, oldest first."""
    found = _load(image.get_parasite(PARASITE))
    return found if isinstance(found, list) else []


def keep(image: Gimp.Image, layer: Gimp.Layer, entry: dict[str, Any]) -> None:
    """Attach a record to a finished layer and add it to the image's."""
    layer.attach_parasite(_dump({**entry, "digest": digest(layer)}))
    image.attach_parasite(_dump([*of_image(image), entry]))


def is_untouched(layer: Gimp.Layer) -> bool:
    """Tell whether pixels and mask of a layer that Colorize made are still those that it inserted."""
    entry = of_layer(layer)
    return entry is not None and entry.get("digest") == digest(layer)


def digest(layer: Gimp.Layer) -> str:
    """Return a digest of a layer's pixels and mask, in the format in which GIMP holds (and saves) them."""
    total = hashlib.blake2b(digest_size=16)
    for drawable in (layer, layer.get_mask()):
        if drawable is not None:
            area = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
            total.update(drawable.get_buffer().get(area, 1.0, None, Gegl.AbyssPolicy.NONE))
        total.update(b"|")
    return total.hexdigest()


def _load(parasite: Gimp.Parasite | None) -> Any:
    if parasite is None:
        return None
    try:
        return json.loads(bytes(parasite.get_data()))
    except ValueError:
        return None


def _dump(value: Any) -> Gimp.Parasite:
    return Gimp.Parasite.new(PARASITE, FLAGS, json.dumps(value, ensure_ascii=False).encode())
