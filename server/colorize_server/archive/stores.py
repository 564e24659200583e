"""Photographs and results wherever fsspec reaches: folders, S3 and its kin; and what was done, a small file each."""

import hashlib
import io
import json
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import fsspec

from ..errors import OutputError, PictureError
from .entry import Entry, State
from .finished import Content
from .one_file import LocalFiles

STATES: Final = "colorize-states"
"""Folder below the results, with a file for each of them."""
MAX_STARTS: Final = 2
"""A photograph that was begun so often and never ended is quarantined: it ends its process."""
_ELSEWHERE: Final = "Look whether the store can be written, then run the same command again."


def below(folder: str, name: str) -> str:
    """Return the name of a file below a folder, which may be a URI."""
    return f"{folder.rstrip('/')}/{name}"


def is_uri(name: str) -> bool:
    """Return whether a name is a URI rather than a path."""
    return "://" in name


class RemoteFiles:
    """Files by path or by URI; see `one_file.Files`.  Objects in a store appear whole by themselves."""

    def __init__(self) -> None:
        self._local = LocalFiles()

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        if not is_uri(name):
            return self._local.read(name)
        try:
            system, path = fsspec.core.url_to_fs(name)
            data: bytes = system.cat_file(path)
            return data
        except Exception as error:  # each store has exceptions of its own
            raise PictureError(f"It cannot be read: {type(error).__name__}: {error}.") from error

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        if not is_uri(name):
            return self._local.exists(name)
        system, path = fsspec.core.url_to_fs(name)
        system.invalidate_cache(posixpath.dirname(path))
        return bool(system.exists(path))

    def is_same(self, name: str, other: str) -> bool:
        """Return whether two names are of one file."""
        return name == other if is_uri(name) or is_uri(other) else self._local.is_same(name, other)

    def write(self, name: str, content: Content, announce: Callable[[str], None] | None = None) -> None:
        """Write a file wholly or not at all, and announce its SHA-256 before."""
        if not is_uri(name):
            self._local.write(name, content, announce)
            return
        if not isinstance(content, bytes):
            stream = io.BytesIO()
            content(stream)
            content = stream.getvalue()
        if announce is not None:
            announce(hashlib.sha256(content).hexdigest())
        try:
            system, path = fsspec.core.url_to_fs(name)
            system.pipe_file(path, content)
        except Exception as error:  # likewise
            message = f"{name} cannot be written: {type(error).__name__}: {error}."
            raise OutputError(message, _ELSEWHERE, code="not_writable") from error


class States:
    """What is known of each result, in a small file of its own, because a cluster has no single writer.

    Args:
        output: folder or URI of the results.
    """

    def __init__(self, output: str) -> None:
        self._folder = below(output, STATES)
        self._files = RemoteFiles()

    def _name(self, target: str) -> str:
        return below(self._folder, f"{hashlib.sha256(target.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}.json")

    def read(self, target: str) -> "Known":
        """Return what is known of a result."""
        name = self._name(target)
        if not self._files.exists(name):
            return Known(None, 0, "")
        members: dict[str, Any] = json.loads(self._files.read(name))
        entry = members["entry"]
        return Known(None if entry is None else Entry.from_members(entry), int(members["starts"]), members["run"])

    def write(self, target: str, known: "Known") -> None:
        """Keep it."""
        members = {
            "entry": None if known.entry is None else known.entry.as_members(),
            "starts": known.starts,
            "run": known.run,
        }
        self._files.write(self._name(target), json.dumps(members).encode())


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a result.

    Attributes:
        entry: what was announced or written last, or the quarantine.
        starts: how often the photograph was begun since, without an end.
        run: that the entry is of.
    """

    entry: Entry | None
    starts: int
    run: str


def last_written(entry: Entry | None) -> Entry | None:
    """Return an entry if a result was announced or written by it."""
    return entry if entry is not None and entry.state in (State.WRITING, State.DONE) else None
