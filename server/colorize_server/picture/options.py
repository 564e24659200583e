"""What a caller may ask of the picture path, as plain values (stdlib only)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from ..errors import BadRequestError, PictureError

MIN_SIDE: Final = 8
"""Pixels; a picture with a shorter side holds nothing that a network could recognise."""

PROFILES: Final = {
    "srgb": (1, 2, 3, 4),
    "linear": (1, 2, 3, 4),
    "gray-gamma-2.2": (1, 2),
    "adobe-rgb": (3, 4),
    "prophoto": (3, 4),
}
"""Names of the profiles that raw pixels may have, with the channel counts they are for."""

SATURATION_RANGE: Final = (0.0, 2.0)
"""Lowest and highest factor on the model's chroma."""


MOST_PLACES: Final = 16
"""Places of a photograph that may be asked about at once."""


def check_not_too_small(width: int, height: int) -> None:
    """Raise PictureError if a side is under `MIN_SIDE`."""
    if min(width, height) < MIN_SIDE:
        raise PictureError(
            f"A picture of {width} by {height} pixels is too small to be colorized.",
            f"Each side must have at least {MIN_SIDE} pixels.",
            code="picture_too_small",
        )


def _as_it_is(value: Any) -> Any:
    return value


class Host(StrEnum):
    """Whose Color blend mode a layer is made for."""

    NONE = "none"
    GIMP = "gimp"
    PHOTOSHOP = "photoshop"


class Output(StrEnum):
    """What comes back."""

    COMPOSITE = "composite"
    LAYER = "layer"


class Blend(StrEnum):
    """The mode that the layer will be used in."""

    COLOR = "color"
    MULTIPLY = "multiply"


@dataclass(frozen=True, slots=True)
class Options:
    """One request to the picture path, everything but the pixels.

    Attributes:
        output: a finished picture, or a layer to be put above the photograph.
        host: whose Color mode the layer is made for; a composite for GIMP is the picture as LCh Color shows it, for
            Photoshop it is the plain composite.
        blend: the mode that the layer is made for.
        size: the network's short side in pixels; None takes the model's default.
        saturation: factor on the model's chroma, 0..2; hints are not scaled.
    """

    output: Output = Output.LAYER
    host: Host = Host.NONE
    blend: Blend = Blend.COLOR
    size: int | None = None
    saturation: float = 1.0

    @classmethod
    def from_members(cls, members: dict[str, Any]) -> Self:
        """Read options from the members of a message, as `dataclasses.asdict` gives them."""
        enums: dict[str, Callable[[Any], Any]] = {"output": Output, "host": Host, "blend": Blend}
        values: dict[str, Any] = {name: enums.get(name, _as_it_is)(value) for name, value in members.items()}
        return cls(**values)

    def __post_init__(self) -> None:
        """Check what only goes together.

        Raises:
            BadRequestError: a finished picture has no blend mode.
        """
        if self.blend is Blend.MULTIPLY and self.output is not Output.LAYER:
            raise BadRequestError("Only a layer can be made for Multiply.", "Ask for a layer (--as layer) as well.")


def check_places(places: Sequence[tuple[int, int]], width: int, height: int) -> None:
    """Refuse places that are not on a photograph of `width` by `height` pixels.

    Raises:
        BadRequestError: the message names the first of them.
    """
    for x, y in places:
        if not (0 <= x < width and 0 <= y < height):
            raise BadRequestError(
                f"The place {x},{y} is not on the photograph, which has {width} by {height} pixels.",
                "A place is its distance from the left and from the top edge, in pixels, counted from 0.",
            )
