"""Manifests: which photographs to colour and where the results go, a row each, as CSV or as JSON lines.

Columns: ``id`` (what the archive calls it), ``source`` (relative to the manifest), ``target`` (relative to the output's
folder; where it is empty, ``--name`` gives it), and where wanted ``sha256`` (of the photograph's file) and ``hints``.
Everything is checked before the first picture, and every fault is told with its line.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..errors import ColorizeError, OutputError, PictureError
from ..formats.encode import ENCODED_TYPES
from ..media_types import PSD
from .names import alike, leaves_folder, named
from .plan import Job, Plan

COLUMNS: Final = ("id", "source", "target", "sha256", "hints")
_REQUIRED: Final = ("id", "source")
_SHOWN: Final = 20
PLAIN_TYPES: Final = tuple(ending for ending, kind in ENCODED_TYPES.items() if kind != PSD)
"""Endings of results that a manifest may name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a manifest, and the line that it stands on."""

    line: int
    id: str
    source: str
    target: str = ""
    sha256: str = ""
    hints: str = ""


def read_manifest(path: Path) -> list[Row]:
    """Read a manifest.

    Raises:
        PictureError: it cannot be read, or rows are malformed; the message tells the lines.
    """
    try:
        rows = list(_rows_of_csv(path) if path.suffix.lower() == ".csv" else _rows_of_json(path))
    except OSError as error:
        raise PictureError(f"The manifest {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PictureError(f"The manifest {path} is not UTF-8.", "Save it as UTF-8.", code="bad_parameter") from error
    if not rows:
        raise PictureError(f"The manifest {path} has no rows.", "Name a photograph in each.", code="bad_parameter")
    return rows


def _rows_of_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            if header:
                _check_columns(path, 1, header)
            for values in reader:
                if not values:
                    continue
                if len(values) != len(header):
                    raise _fault(path, reader.line_num, f"it has {len(values)} fields, and the header {len(header)}")
                yield _row(path, reader.line_num, dict(zip(header, values, strict=True)))
        except csv.Error as error:
            raise _fault(path, reader.line_num, f"it is no CSV ({error})") from error


def _rows_of_json(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                members = json.loads(line)
            except ValueError as error:
                raise _fault(path, number, "it is no JSON") from error
            if not isinstance(members, dict) or not all(isinstance(value, str) for value in members.values()):
                raise _fault(path, number, "it is no JSON object of texts")
            _check_columns(path, number, list(members))
            yield _row(path, number, members)


def _check_columns(path: Path, line: int, names: list[str]) -> None:
    if unknown := [name for name in names if name not in COLUMNS]:
        raise _fault(path, line, f"there is no column '{unknown[0]}'; the columns are {', '.join(COLUMNS)}")
    if missing := [name for name in _REQUIRED if name not in names]:
        raise _fault(path, line, f"the column '{missing[0]}' is missing")
    if len(set(names)) < len(names):
        raise _fault(path, line, "a column is there twice")


def _row(path: Path, line: int, members: dict[str, Any]) -> Row:
    row = Row(line, **{name: value.strip() for name, value in members.items()})
    if not row.id or not row.source:
        raise _fault(path, line, "its id or its source is empty")
    if row.sha256 and not re.fullmatch("[0-9a-fA-F]{64}", row.sha256):
        raise _fault(path, line, "its sha256 is not 64 hexadecimal digits")
    return row


def _fault(path: Path, line: int, what: str) -> ColorizeError:
    return PictureError(f"{path}, line {line}: {what}.", "Nothing was coloured; mend the line.", code="bad_parameter")


@dataclass(frozen=True, slots=True)
class Places:
    """How the names in a manifest are understood.

    Attributes:
        sources: what sources and hints are relative to: a folder, or a URI that ends in a slash.
        is_there: whether there is such a file.
        leaves: why a target does not stay within the output; empty where it does.
    """

    sources: str
    is_there: Callable[[str], bool]
    leaves: Callable[[str], str]

    def full(self, name: str) -> str:
        """Return a source's whole name; what is absolute or a URI stays as it is."""
        return name if "://" in name or Path(name).is_absolute() else f"{self.sources}{name}"


def placed(path: Path, pattern: str, places: Places) -> list[Row]:
    """Read a manifest; return its rows with whole names of sources and hints, and a target each.

    Raises:
        PictureError, OutputError: rows cannot be done; the message tells each with its line.
    """
    rows, faults = [], []
    ids: dict[str, int] = {}
    targets: dict[str, int] = {}
    for row in read_manifest(path):
        suffix = "tif" if Path(row.source).suffix.lower() in (".tif", ".tiff") else "png"
        full = replace(
            row,
            source=places.full(row.source),
            target=row.target or named(pattern, Path(row.source), suffix),
            hints=places.full(row.hints) if row.hints else "",
            sha256=row.sha256.lower(),
        )
        found = list(_faults(full, places))
        for key, seen, what in (
            (row.id, ids, f"its id '{row.id}'"),
            (alike(full.target), targets, f"its target '{full.target}'"),
        ):
            if key in seen:
                found.append(f"{what} is that of line {seen[key]}, too")
            seen.setdefault(key, row.line)
        faults += [f"{path}, line {row.line}: {what}." for what in found]
        rows.append(full)
    if faults:
        more = [f"... and {len(faults) - _SHOWN} more."] if len(faults) > _SHOWN else []
        raise OutputError("\n".join(faults[:_SHOWN] + more), "\nNothing was coloured.", code="bad_parameter")
    return rows


def _faults(row: Row, places: Places) -> Iterator[str]:
    """Say why a row cannot be done."""
    for name, what in ((row.source, "its photograph"), (row.hints, "its picture of hints")):
        if name and not places.is_there(name):
            yield f"{what} {name} is not there"
    if reason := places.leaves(row.target):
        yield f"its target '{row.target}' {reason}"
    elif PurePosixPath(row.target).suffix.lower() not in PLAIN_TYPES:
        yield f"its target '{row.target}' does not end in {', '.join(PLAIN_TYPES)}"


def plan_manifest(path: Path, output: Path, pattern: str) -> Plan:
    """Read a manifest of this machine's files and decide where each result goes.

    Args:
        path: the manifest.
        output: the folder of the results.
        pattern: names those whose row has no target; see `names`.

    Raises:
        PictureError, OutputError: see `placed`.
    """
    places = Places(f"{path.parent}/", lambda name: Path(name).is_file(), lambda name: leaves_folder(name, output))
    return Plan(
        [
            Job(Path(row.source), output / row.target, row.id, row.sha256, Path(row.hints) if row.hints else None)
            for row in placed(path, pattern, places)
        ]
    )
