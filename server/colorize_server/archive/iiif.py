"""IIIF: a Presentation 3 manifest for each photograph, whose canvas offers it grey and coloured, as a `Choice`.

Viewers show JPEG, not TIFF or 16-bit PNG, so both are written as such; the folder is to be served as it is.
https://iiif.io/api/presentation/3.0/ and its recipe 0033, Multiple Choice of Images in a Single View.
"""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..errors import OutputError
from ..files import write_whole
from ..media_types import JPEG
from .entry import Entry, State
from .journal import Recorded, entries_in
from .views import colour_view, grey_view, jpeg

ELSEWHERE: Final = "name another folder"
_CONTEXT: Final = "http://iiif.io/api/presentation/3/context.json"


def write_iiif(recorded: Recorded, journal: Path, folder: Path, base: str) -> int:
    """Write manifests, pictures and a collection of all.

    Args:
        recorded: what the journal says.
        journal: its file; names are taken from where results lie below its folder.
        folder: where to write.
        base: the address at which the folder will be served.

    Returns:
        How many manifests there are.

    Raises:
        OutputError: the address is none, or a file cannot be written.
        PictureError: a photograph or a result cannot be read.
    """
    if not base.startswith(("http://", "https://")):
        raise OutputError(f"{base} is no address.", "Give one that begins with https://.", code="bad_parameter")
    base = base.rstrip("/")
    members = []
    for entry in entries_in(recorded):
        if entry.state is not State.DONE:
            continue
        name = _name(entry, journal.parent)
        place = f"{base}/{quote(name)}"
        pictures = []
        for label, view, path in (("photograph", grey_view, entry.source), ("coloured", colour_view, entry.target)):
            try:
                image = view(Path(path))
            except OSError as error:
                raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from error
            write_whole(folder / name / f"{label}.jpg", jpeg(image), ELSEWHERE)
            pictures.append((label, image.width, image.height))
        manifest = _manifest(entry, place, pictures)
        write_whole(folder / name / "manifest.json", _json(manifest), ELSEWHERE)
        members.append({"id": manifest["id"], "type": "Manifest", "label": manifest["label"]})
    collection = {
        "@context": _CONTEXT,
        "id": f"{base}/collection.json",
        "type": "Collection",
        "label": {"en": ["Photographs, grey and coloured"]},
        "items": members,
    }
    write_whole(folder / "collection.json", _json(collection), ELSEWHERE)
    return len(members)


def _name(entry: Entry, below: Path) -> str:
    if entry.id:
        return quote(entry.id, safe="").replace(".", "%2E").replace("%", "_")
    target = Path(entry.target)
    return (target.relative_to(below) if target.is_relative_to(below) else Path(target.name)).as_posix()


def _manifest(entry: Entry, place: str, pictures: list[tuple[str, int, int]]) -> dict[str, Any]:
    _, width, height = pictures[0]
    canvas = f"{place}/canvas"
    choices = [
        {
            "id": f"{place}/{label}.jpg",
            "type": "Image",
            "format": JPEG,
            "width": w,
            "height": h,
            "label": {"en": [label.capitalize()]},
        }
        for label, w, h in pictures
    ]
    painting = {
        "id": f"{canvas}/painting",
        "type": "Annotation",
        "motivation": "painting",
        "body": {"type": "Choice", "items": choices},
        "target": canvas,
    }
    page = {"id": f"{canvas}/page", "type": "AnnotationPage", "items": [painting]}
    return {
        "@context": _CONTEXT,
        "id": f"{place}/manifest.json",
        "type": "Manifest",
        "label": {"none": [entry.id or Path(entry.source).name]},
        "requiredStatement": {
            "label": {"en": ["Colours"]},
            "value": {"en": [f"Inferred by {entry.model}; the photograph itself is grey."]},
        },
        "items": [{"id": canvas, "type": "Canvas", "width": width, "height": height, "items": [page]}],
    }


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
