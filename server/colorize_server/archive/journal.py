"""The journal: what became of each photograph of an archive, a JSON object a line, only ever appended to.

A result is announced (`State.WRITING`, with its hash) before it is written.  So whatever is killed and whenever, each
file in the archive has its line, and a file that has the announced hash is done even if nobody was left to say so.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from .. import __version__
from ..errors import OutputError, PictureError
from ..installation.state import try_lock
from .entry import Entry, State

JOURNAL_NAME: Final = "colorize-journal.jsonl"
VERSION: Final = 1


@dataclass
class Recorded:
    """What a journal says.

    Attributes:
        latest: target to what became of it last.
        written: target to what was announced or written last, whatever came later.
        remarks: what is wrong with the journal itself, one sentence each.
    """

    latest: dict[str, Entry] = field(default_factory=dict)
    written: dict[str, Entry] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Take an entry's place in time."""
        if entry.state is not State.WRITING:
            self.latest[entry.target] = entry
        if entry.state in (State.WRITING, State.DONE):
            self.written[entry.target] = entry

    def of(self, target: str) -> tuple[Entry | None, Entry | None]:
        """Return what became of a result last, and what was announced or written last."""
        names = [target]
        if target.endswith(".psd"):  # what was too large for it
            names.append(f"{target[:-4]}.psb")
        latest = next((self.latest[name] for name in names if name in self.latest), None)
        return latest, next((self.written[name] for name in names if name in self.written), None)


def read_journal(path: Path) -> Recorded:
    """Read a journal; names of files come out absolute.

    Raises:
        PictureError: it cannot be read, is none, or is of a later version.
    """
    recorded = Recorded()
    try:
        with path.open("rb") as file:
            _check_header(path, file.readline())
            for number, line in enumerate(file, 2):
                try:
                    members = json.loads(line)
                    if "state" in members:  # else the beginning of a run
                        recorded.add(_absolute(Entry.from_members(members), path.parent))
                except (ValueError, TypeError):
                    recorded.remarks.append(f"{path}, line {number} was cut off; its photograph counts as not done.")
    except OSError as error:
        raise PictureError(f"The journal {path} cannot be read: {error.strerror or error}.") from error
    return recorded


def _check_header(path: Path, line: bytes) -> None:
    try:
        version = json.loads(line)["version"] if json.loads(line)["journal"] == "colorize" else None
    except (ValueError, TypeError, KeyError):
        version = None
    if version is None:
        raise PictureError(f"{path} is no journal of colorize.", "Name another one.", code="bad_parameter")
    if version != VERSION:
        raise PictureError(
            f"The journal {path} is of version {version}, and this colorize knows version {VERSION}.",
            "Install the version of colorize that wrote it, or name another journal.",
            code="bad_parameter",
        )


class Journal:
    """A journal that is being written, by this process alone.

    Args:
        path: a new file, or a journal to go on with.

    Attributes:
        recorded: what it said when it was opened.

    Raises:
        PictureError: see `read_journal`.
        OutputError: it cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            if not try_lock(self._file):
                raise OutputError(
                    f"Another run is writing the journal {path}.", "Wait until it has ended.", code="not_writable"
                )
            self.recorded = Recorded()
            size = self._file.seek(0, os.SEEK_END)
            if size == 0:
                self._append({"journal": "colorize", "version": VERSION})
            else:
                self.recorded = read_journal(self.path)
                self._file.seek(size - 1)
                if self._file.read(1) != b"\n":  # what was cut off stays as it is, on a line of its own
                    self._write(b"\n")
        except BaseException:
            self._file.close()
            raise

    def begin(self, **facts: Any) -> None:
        """Write down that a run begins."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._append({"run": {"began": now, "program": f"colorize {__version__}", **facts}})

    def append(self, entry: Entry) -> None:
        """Write a line, onto the disk.

        Raises:
            OutputError: the disk is full.
        """
        self._append(_relative(entry, self.path.parent).as_members())
        self.recorded.add(entry)

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def _append(self, members: dict[str, Any]) -> None:
        try:
            line = json.dumps(members, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # a name that is no text
            line = json.dumps(members).encode()
        self._write(line + b"\n")

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._file.write(data) or 0 :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"The journal {self.path} cannot be written: {error.strerror or error}.",
            "Free some space or make its folder writable, or name another journal with --journal.",
        )


def entries_in(recorded: Recorded) -> Iterator[Entry]:
    """Yield what became of each photograph; one that was only announced counts as not done."""
    yield from recorded.latest.values()
    yield from (entry for target, entry in recorded.written.items() if target not in recorded.latest)


def _relative(entry: Entry, folder: Path) -> Entry:
    """Return an entry whose names below the journal's folder are relative, so that an archive can be moved."""
    return _renamed(entry, lambda path: path.relative_to(folder).as_posix() if path.is_relative_to(folder) else None)


def _absolute(entry: Entry, folder: Path) -> Entry:
    return _renamed(entry, lambda path: str(folder.resolve() / path))


def _renamed(entry: Entry, rename: Callable[[Path], str | None]) -> Entry:
    def renamed(name: str) -> str:
        return name if not name or "://" in name else rename(Path(name)) or name

    return replace(entry, source=renamed(entry.source), target=renamed(entry.target))
