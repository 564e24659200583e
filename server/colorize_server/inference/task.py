"""What the daemon asks the inference process to do, and what it gets back: plain values that travel as JSON.

Also what the process needs to do it with: a worker.
"""

import enum
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from ..picture.control import Control
from ..picture.options import Options
from .memory import SharedBuffer

Members = dict[str, Any]


class PageStep(enum.StrEnum):
    """What the page asks for."""

    OPEN = "open"
    """Input: an encoded photograph.  Answer: its size, and packed planes `proof`, `low`, `own`, `strokes`, `doubt`."""
    COLOURS = "colours"
    """Inputs: the photograph's `width`, `height` and plane `low`, packed; strokes as JSON.

    Answer: packed planes `own`, `strokes`, `doubt`."""
    SUGGEST = "suggest"
    """Inputs as of `COLOURS`, and one of `places`, in pixels of the photograph.  Answer as of ``POST /v1/suggest``."""
    EXPORT = "export"
    """Inputs: an encoded photograph, strokes as JSON.  Answer: the encoded picture."""


@dataclass(frozen=True, slots=True)
class RawPicture:
    """How to read a raw body.

    Attributes:
        width: pixels in a row.
        height: rows.
        channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        depth: bits of a sample, 8 or 16.
        profile: name from PROTOCOL.md that says what the numbers mean.
        has_hints: RGBA8 hints of the same size follow the picture.
        recipe_bytes: length of a recipe that follows the picture; 0 for none.
    """

    width: int
    height: int
    channels: int
    depth: int = 8
    profile: str = "srgb"
    has_hints: bool = False
    recipe_bytes: int = 0

    @property
    def picture_bytes(self) -> int:
        """Length of the picture alone."""
        return self.width * self.height * self.channels * self.depth // 8

    @property
    def body_bytes(self) -> int:
        """Length of the picture with what follows it."""
        return self.picture_bytes + (self.width * self.height * 4 if self.has_hints else 0) + self.recipe_bytes

    @property
    def answer_channels(self) -> int:
        """Channels of the answer: RGB, with the picture's alpha if it had one."""
        return 4 if self.channels in (2, 4) else 3

    @property
    def answer_bytes(self) -> int:
        """Length of the answer's picture."""
        return self.width * self.height * self.answer_channels * self.depth // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One picture to colorize; its bytes come in shared buffers: the picture, then the hints of an encoded one.

    Attributes:
        options: what is wanted.
        media_type: the body's Content-Type.
        raw: how to read a raw body; None for an encoded one.
        wants_doubt: whether the doubt picture is wanted too.
        wants_recipe: whether the recipe is wanted too.
        lifts_touch_ups: nothing is colorized: the raw picture is a layer as it was laid, what follows it (as its hints)
            is the layer as it is now, and the strokes painted on it are wanted.
        places: if there are any, nothing is colorized: likely colours of these places, x and y in pixels, are wanted.
        page: what the page asks for; None for whoever is not the page.
        answer_type: Content-Type of the answer.
        max_pixels: limit on width x height, for decoders.
        max_side: limit on width and height, for decoders.
    """

    options: Options
    media_type: str
    raw: RawPicture | None
    wants_doubt: bool
    wants_recipe: bool = False
    lifts_touch_ups: bool = False
    places: tuple[tuple[int, int], ...] = ()
    page: PageStep | None = None
    answer_type: str
    max_pixels: int
    max_side: int

    def as_members(self) -> Members:
        """Return what `from_members` reads."""
        return asdict(self)

    @classmethod
    def from_members(cls, members: Members) -> "Task":
        """Read a task from a message."""
        raw = members["raw"]
        return cls(
            options=Options.from_members(members["options"]),
            media_type=members["media_type"],
            raw=None if raw is None else RawPicture(**raw),
            wants_doubt=members["wants_doubt"],
            wants_recipe=members["wants_recipe"],
            lifts_touch_ups=members["lifts_touch_ups"],
            places=tuple((x, y) for x, y in members["places"]),
            page=None if members["page"] is None else PageStep(members["page"]),
            answer_type=members["answer_type"],
            max_pixels=members["max_pixels"],
            max_side=members["max_side"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came out, beside the bytes in their shared buffer.

    Attributes:
        width: of the picture.
        height: of the picture.
        channels: of the picture; 0 where the answer is none.
        depth: bits of a sample; 0 likewise.
        size: the network's short side that was used; 0 where it was not asked.
        picture_bytes: length of the picture (or of the JSON that is the answer), which comes first.
        doubt_bytes: length of the doubt picture, which follows; 0 without one.
        recipe_bytes: length of the recipe, which comes last; 0 without one.
        hinted: number of pixels that hints cover; None where none were sent.
        touched: number of pixels that touch-ups cover; None where none were looked for.
        remarks: what a painter should know of the file, one sentence each, ASCII.
        timings_ms: milliseconds of the steps decode, network, picture, encode.
    """

    width: int
    height: int
    channels: int
    depth: int
    size: int
    picture_bytes: int
    doubt_bytes: int
    recipe_bytes: int = 0
    hinted: int | None = None
    touched: int | None = None
    remarks: tuple[str, ...] = ()
    timings_ms: dict[str, float]

    def as_members(self) -> Members:
        """Return what ``Answer(**members)`` reads."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """What runs in the inference process, as health tells it.

    Attributes:
        backend: active backend, its device, providers, and why this one.
        model: name, version, sha256, multiple_of, sizes, default_size.
        suggests_colours: whether the model suggests colours.
    """

    backend: Members
    model: Members
    suggests_colours: bool = False

    @property
    def sizes(self) -> list[int]:
        """The network sizes that the model was tested at."""
        return list(self.model["sizes"])


class Worker(Protocol):
    """What does the work in this process."""

    def describe(self) -> WorkerInfo:
        """Tell what runs, after one forward pass."""

    def run(self, task: Task, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Answer, SharedBuffer]:
        """Colorize; the buffer is the caller's to close."""


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """Which worker to open: see the fields of the same names in `colorize_server.settings.Settings`."""

    backend: str
    device: int
    require_gpu: bool
    model: Path | None
