"""What is to be done with one photograph, as plain values that travel to a worker."""

from dataclasses import dataclass
from typing import Any

from .plan import BatchOptions


@dataclass(frozen=True, slots=True)
class Task:
    """One photograph to be coloured.

    Attributes:
        source: name of the photograph.
        target: name of the result.
        id: what a manifest calls it.
        sha256: what a manifest says of the photograph's file; empty where it says nothing.
        hints: name of a PNG with strokes of colour, or empty.
        doubt: where to write the doubt picture, or empty.
        before: what the journal says was written last, as members; None where nothing was, or there is no journal.
        quarantined: what the journal says of it if it kills workers, as members.
        page: which picture of its file, 1 is the first; 0 takes what the rules say.
    """

    source: str
    target: str
    id: str = ""
    sha256: str = ""
    hints: str = ""
    doubt: str = ""
    before: dict[str, Any] | None = None
    quarantined: dict[str, Any] | None = None
    page: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every photograph of a run.

    Attributes:
        batch: what is wanted.
        model_sha256: of the model's file.
        has_journal: results that are there already are compared by hash with what the journal says.
    """

    batch: BatchOptions
    model_sha256: str
    has_journal: bool = False
