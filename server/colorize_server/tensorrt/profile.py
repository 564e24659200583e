"""Optimisation profiles: which shapes an engine takes, and which it is tuned for (stdlib only).

The picture path gives the network a short side of one of the model's sizes and a long side of up to
`MAX_NETWORK_ASPECT` times that.  One profile for pictures lying down and one for pictures standing up cover exactly
these: a single one would have to allow squares of the longest side, four times the memory.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..errors import BadRequestError
from ..model import ModelCard
from ..picture.geometry import MAX_NETWORK_ASPECT

MAX_BATCH: Final = 32
_USUAL_ASPECT: Final = 1.5
"""Of photographs: 3:2."""


@dataclass(frozen=True)
class Shape:
    """Batch, height and width of an input."""

    batch: int
    height: int
    width: int

    def with_channels(self, channels: int) -> tuple[int, int, int, int]:
        """Return (N, C, H, W)."""
        return (self.batch, channels, self.height, self.width)


@dataclass(frozen=True)
class Profile:
    """One optimisation profile.

    Attributes:
        smallest: least N, H and W.
        usual: the shape that kernels are chosen for.
        largest: greatest N, H and W.
    """

    smallest: Shape
    usual: Shape
    largest: Shape

    def takes(self, height: int, width: int) -> bool:
        """Whether pictures of that size fit, in batches of the right number."""
        s, g = self.smallest, self.largest
        return s.height <= height <= g.height and s.width <= width <= g.width

    def as_members(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def profiles_for(card: ModelCard, sizes: tuple[int, ...], batch: int) -> tuple[Profile, ...]:
    """Return the profiles for the network sizes that an engine shall be good for.

    Args:
        card: the model's.
        sizes: network short sides; each a multiple of the model's ``multiple_of``.
        batch: largest batch.

    Raises:
        BadRequestError: no sizes, one that is no multiple, or a batch out of range.
    """
    if not sizes:
        raise BadRequestError("No size was given.", f"{card.name} is made for {_listed(card.sizes)}.")
    for size in sizes:
        if size <= 0 or size % card.multiple_of:
            raise BadRequestError(
                f"{size} is not a multiple of {card.multiple_of}, which {card.name} needs.",
                f"{card.name} is made for {_listed(card.sizes)}.",
            )
    if not 1 <= batch <= MAX_BATCH:
        raise BadRequestError(f"A batch of {batch} is not possible.", f"Use 1 to {MAX_BATCH}.")
    small, large = min(sizes), max(sizes)
    usual = card.default_size if card.default_size in sizes else min(sizes, key=lambda s: abs(s - card.default_size))
    long_usual = _round_up(usual * _USUAL_ASPECT, card.multiple_of)
    longest = _round_up(large * MAX_NETWORK_ASPECT, card.multiple_of)
    least = Shape(1, small, small)
    return (
        Profile(least, Shape(1, usual, long_usual), Shape(batch, large, longest)),
        Profile(least, Shape(1, long_usual, usual), Shape(batch, longest, large)),
    )


def _round_up(value: float, multiple: int) -> int:
    return math.ceil(value / multiple) * multiple


def _listed(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))
