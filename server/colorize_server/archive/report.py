"""What a journal says, for people: numbers, a table as CSV, a page with thumbnails; and whether it still holds."""

import base64
import collections
import csv
import hashlib
import html
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from PIL import Image

from ..errors import ColorizeError
from .entry import Entry, State
from .journal import Recorded, entries_in
from .manifest import Row
from .views import colour_view, grey_view, jpeg

_THUMBNAIL: Final = (320, 240)
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.6em 0 1.6em}td,th{padding:.2em .8em;text-align:left;"
    "border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}figure{display:inline-block;margin:.4em;"
    "vertical-align:top;width:660px;max-width:100%}img{height:auto;max-width:49%;margin-right:1%}"
    "figcaption{font-size:12px;color:#555;overflow-wrap:anywhere}"
)


@dataclass(frozen=True)
class Summary:
    """What a journal says, in numbers.

    Attributes:
        done: photographs that are coloured.
        not_done: those that failed, crashed or were only announced.
        quarantined: those that are left alone.
        megapixels: of those that are coloured.
        seconds: of one process for them.
        network_share: 0..1 of these seconds.
        doubt: mean expected error, C*; None where none is coloured.
        failures: kind to the entries of what failed, most first.
    """

    done: int
    not_done: int
    quarantined: int
    megapixels: float
    seconds: float
    network_share: float
    doubt: float | None
    failures: dict[str, list[Entry]]

    def as_rows(self) -> list[tuple[str, str]]:
        """Return what it says, a line each, for people."""
        rows = [
            ("coloured", f"{self.done} photographs, {self.megapixels:.1f} megapixels"),
            ("not coloured", f"{self.not_done + self.quarantined}, of these {self.quarantined} quarantined"),
        ]
        if self.done:
            rows += [
                ("time", f"{self.seconds / self.done:.2f} s a photograph in one process"),
                ("of this, the network", f"{self.network_share:.0%}"),
                ("mean doubt", "" if self.doubt is None else f"{self.doubt:.1f} C*"),
            ]
        return rows


def summary(recorded: Recorded) -> Summary:
    """Return what a journal says, in numbers."""
    entries = list(entries_in(recorded))
    done = [entry for entry in entries if entry.state is State.DONE]
    kinds: dict[str, list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        if entry.state is not State.DONE:
            kinds["interrupted" if entry.error is None else entry.error["code"]].append(entry)
    quarantined = sum(entry.state is State.QUARANTINED for entry in entries)
    seconds = sum(entry.seconds for entry in done)
    doubts = [entry.doubt for entry in done if entry.doubt is not None]
    return Summary(
        len(done),
        len(entries) - len(done) - quarantined,
        quarantined,
        sum(entry.width * entry.height for entry in done) / 1e6,
        seconds,
        sum(entry.network_s for entry in done) / seconds if seconds else 0.0,
        sum(doubts) / len(doubts) if doubts else None,
        dict(sorted(kinds.items(), key=lambda item: -len(item[1]))),
    )


def by_doubt(recorded: Recorded) -> list[Entry]:
    """Return what is coloured, the most doubtful first."""
    done = [entry for entry in entries_in(recorded) if entry.state is State.DONE]
    return sorted(done, key=lambda entry: (-(entry.doubt or 0.0), entry.target))


def as_csv(recorded: Recorded) -> bytes:
    """Return a table of all photographs, the most doubtful first, then what is not coloured; UTF-8."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    names = [field.name for field in fields(Entry)]
    writer.writerow(names)
    rest = [entry for entry in entries_in(recorded) if entry.state is not State.DONE]
    for entry in [*by_doubt(recorded), *rest]:
        members = {
            **entry.as_members(),
            "options": json.dumps(entry.options, sort_keys=True),
            "remarks": " ".join(entry.remarks),
            "error": entry.reason,
        }
        writer.writerow([_text(members.get(name, "")) for name in names])
    return stream.getvalue().encode("utf-8", "backslashreplace")


def _text(value: object) -> str:
    """Return a field; one that a spreadsheet would take for a formula is marked as text."""
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def as_html(recorded: Recorded, title: str, limit: int) -> bytes:
    """Return a page in one file: the numbers, failures by kind, and photographs beside results, worst doubt first.

    Args:
        recorded: the journal.
        title: of the page.
        limit: how many photographs are shown.
    """
    found = summary(recorded)
    worst = by_doubt(recorded)
    shown = worst[:limit]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        "<table>" + "".join(f"<tr><td>{_shown(a)}<td>{_shown(b)}" for a, b in found.as_rows()) + "</table>",
    ]
    for kind, entries in found.failures.items():
        rows = "".join(f"<tr><td>{_shown(entry.source)}<td>{_shown(entry.reason)}" for entry in entries[:limit])
        parts.append(f"<h2>Not coloured: {_shown(kind)} ({len(entries)})</h2><table>{rows}</table>")
    parts.append(f"<h2>Coloured, the most doubtful first ({len(shown)} of {len(worst)})</h2>")
    parts += [_figure(entry) for entry in shown]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )
    return page.encode("utf-8", "backslashreplace")


def _shown(text: str) -> str:
    return html.escape(text)


def _figure(entry: Entry) -> str:
    images = []
    for path, view, words in ((entry.source, grey_view, "photograph"), (entry.target, colour_view, "result")):
        try:
            image: Image.Image = view(Path(path))
        except (ColorizeError, OSError):
            images.append(f"<em>The {words} cannot be read.</em> ")
            continue
        image.thumbnail(_THUMBNAIL)
        data = base64.b64encode(jpeg(image)).decode()
        images.append(
            f'<img src="data:image/jpeg;base64,{data}" width="{image.width}" height="{image.height}" alt="{words}">'
        )
    doubt = "" if entry.doubt is None else f"doubt {entry.doubt:.1f} C*, "
    caption = f"{entry.target}: {doubt}{entry.width} x {entry.height}, {entry.depth} bits"
    return f"<figure>{''.join(images)}<figcaption>{_shown(caption)}</figcaption></figure>"


def problems(recorded: Recorded, rows: list[Row] | None) -> Iterator[str]:
    """Look at every file again; yield what does not hold, a sentence each.

    Args:
        recorded: the journal.
        rows: of a manifest that must be there to the last row; None for none.
    """
    for entry in entries_in(recorded):
        if entry.state not in (State.DONE, State.WRITING):
            yield f"{entry.source} is not coloured. {entry.reason}".rstrip()
            continue
        found = _sha256(entry.target)
        if found is None:
            yield f"{entry.target} is gone."
        elif found != entry.target_sha256:
            yield f"{entry.target} is not as it was written."
        if _sha256(entry.source) not in (None, entry.source_sha256):
            yield f"{entry.source} was changed after it was coloured."
    if rows is None:
        return
    by_id = {entry.id: entry for entry in entries_in(recorded) if entry.id}
    for row in rows:
        if row.id not in by_id:
            yield f"Line {row.line} of the manifest, {row.id}, is not in the journal."
        elif row.sha256 and row.sha256.lower() != by_id[row.id].source_sha256:
            yield f"Line {row.line} of the manifest, {row.id}, names another photograph than was coloured."


def _sha256(name: str) -> str | None:
    try:
        with Path(name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
