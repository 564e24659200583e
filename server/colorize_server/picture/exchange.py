"""What passes between a photograph and the network: what it sees, is asked, and says (plain values)."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .geometry import NetworkPlan
from .hints import Rgba
from .recipe import Recipe

Planes: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that the steps of one picture took.

    Attributes:
        network_ms: the generator's forward pass.
        picture_ms: everything else, from pixels to pixels.
    """

    network_ms: float
    picture_ms: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A photograph as the network sees it.

    Attributes:
        plan: the sizes.
        lightness: (h, w) float32, L* of the photograph at network size.
    """

    plan: NetworkPlan
    lightness: Planes


@dataclass(frozen=True, slots=True)
class Generated:
    """What the network said about one photograph.

    Attributes:
        recipe: its chroma, and the strokes that it was given.
        lightness: (h, w) float32, L* of the photograph at network size.
        hint_planes: the strokes at network size, see `network_hints`; None for none.
        doubt: (h, w) float32, C* at network size.
        network_ms: milliseconds of the generator's forward pass.
    """

    recipe: Recipe
    lightness: Planes
    hint_planes: Planes | None
    doubt: Planes
    network_ms: float


@dataclass(frozen=True, slots=True)
class Question:
    """What the network is asked about one photograph that it has seen.

    Attributes:
        hints: the strokes at full size; None for none.
        hint_planes: see `Generated`.
        luminance: (1, 1, H, W) float32, the network's input, padded.
        network_hints: (1, 3, H, W) float32, likewise.
    """

    hints: Rgba | None
    hint_planes: Planes | None
    luminance: Planes
    network_hints: Planes
