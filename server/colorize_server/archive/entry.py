"""What became of one photograph, as plain values: a line of the journal, a message of a worker, a row of a report."""

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from ..errors import ColorizeError


class State(StrEnum):
    """How far a photograph came."""

    WRITING = "writing"
    """Its result is computed and is about to be written: the line before the file, so that no file is without one."""
    DONE = "done"
    SKIPPED = "skipped"
    """Its result is there already; never a line of the journal."""
    FAILED = "failed"
    CRASHED = "crashed"
    """Its worker died; it is tried once more."""
    QUARANTINED = "quarantined"
    """Its worker died twice; it is left alone until it, the model or the options change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What became of one photograph.

    Attributes:
        state: how far it came.
        source: name of the photograph; a path, or a URI on a cluster.
        target: name of the result.
        id: what a manifest calls it.
        source_sha256: of the photograph's file as it was read.
        target_sha256: of the result as it was written.
        width: pixels.
        height: pixels.
        depth: bits a channel.
        profile: colour profile of the photograph.
        model: name and version.
        model_sha256: of the model's file.
        backend: what computed.
        options: everything that was asked for and changes the result.
        seconds: from reading to writing.
        network_s: seconds of these that the network took.
        doubt: mean expected error of the colours, C*; high where the model guesses.
        pages_left: pictures of the photograph's file that were not coloured.
        remarks: what a person should know, one sentence each.
        error: code, message and hint of what went wrong.
    """

    state: State
    source: str
    target: str
    id: str = ""
    source_sha256: str = ""
    target_sha256: str = ""
    width: int = 0
    height: int = 0
    depth: int = 0
    profile: str = ""
    model: str = ""
    model_sha256: str = ""
    backend: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    network_s: float = 0.0
    doubt: float | None = None
    pages_left: int = 0
    remarks: tuple[str, ...] = ()
    error: dict[str, str] | None = None

    @property
    def reason(self) -> str:
        """What went wrong and what to do about it, for people; empty where nothing did."""
        return "" if self.error is None else f"{self.error['message']} {self.error['hint']}".rstrip()

    def failed(self, error: ColorizeError, state: State = State.FAILED) -> "Entry":
        """Return this entry with an error."""
        return dataclasses.replace(self, state=state, error=error.as_dict())

    def agrees_with(self, other: "Entry") -> bool:
        """Whether both are of the same photograph, model and options, by their hashes."""
        return (self.source_sha256, self.model_sha256, self.options) == (
            other.source_sha256,
            other.model_sha256,
            other.options,
        )

    def as_members(self) -> dict[str, Any]:
        """Return the members of a JSON object; what is empty is left out."""
        members = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in members.items() if value not in ("", 0, None, (), {}) or name == "state"}

    @classmethod
    def from_members(cls, members: dict[str, Any]) -> Self:
        """Return the entry of a JSON object; members of later versions are passed over.

        Raises:
            ValueError: it is none.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        try:
            known = {name: value for name, value in members.items() if name in names}
            known["state"] = State(known["state"])
            known["remarks"] = tuple(known.get("remarks", ()))
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no entry: {error}") from error
