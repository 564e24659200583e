"""The photographs that tabs have open."""

import time
from dataclasses import dataclass, field
from typing import Final

from ...errors import RefusedError
from ...inference.memory import SharedBuffer
from ..work import HeldMemory, Work

PHOTOGRAPH_IDLE_S: Final = 2 * 3600.0
"""An open photograph that nobody has touched for so long is given up; its tab sends it again when it is wanted."""
MAX_PHOTOGRAPHS: Final = 8
"""Beyond it the one that has been idle longest is given up."""


@dataclass(eq=False, slots=True)
class OpenPhotograph:
    """A photograph as it was sent, and what the network saw of it.

    Attributes:
        encoded: the file's bytes.
        media_type: of the file.
        low: the packed plane `low`, see `colorize_server.picture.proof`.
    """

    encoded: SharedBuffer
    media_type: str
    low: bytes


@dataclass(eq=False, slots=True)
class Session:
    """What is held for one tab.

    Attributes:
        memory: where its memory is counted.
        photograph: the open one; None for none.
        reaction: the latest question for colours that waits or runs; an older one is given up for it.
        used: when the photograph was last used (monotonic clock).
    """

    memory: HeldMemory
    photograph: OpenPhotograph | None = None
    reaction: Work | None = None
    used: float = field(default_factory=time.monotonic)

    def hold(self, photograph: OpenPhotograph) -> None:
        """Hold another photograph; takes its buffer over.

        Raises:
            ColorizeError: if there is no memory for it; its buffer is closed then.
        """
        self.let_go()
        try:
            self.memory.take(photograph.encoded.n_bytes)
        except BaseException:
            photograph.encoded.close()
            raise
        self.photograph = photograph
        self.used = time.monotonic()

    def let_go(self) -> None:
        """Give the photograph up."""
        photograph, self.photograph = self.photograph, None
        if photograph is not None:
            self.memory.give_back(photograph.encoded.n_bytes)
            photograph.encoded.close()

    def opened(self) -> OpenPhotograph:
        """Return the open photograph.

        Raises:
            RefusedError: if there is none (any more).
        """
        if self.photograph is None:
            raise RefusedError(
                "The server has let go of this photograph.",
                "The page sends it again by itself.",
                code="photograph_gone",
                status=409,
            )
        self.used = time.monotonic()
        return self.photograph


def give_up_idle(sessions: list[Session]) -> None:
    """Give up photographs that nobody uses.

    Args:
        sessions: all of them.
    """
    holding = sorted((session for session in sessions if session.photograph is not None), key=lambda s: s.used)
    latest = time.monotonic() - PHOTOGRAPH_IDLE_S
    for place, session in enumerate(holding):
        if session.used < latest or len(holding) - place > MAX_PHOTOGRAPHS:
            session.let_go()
