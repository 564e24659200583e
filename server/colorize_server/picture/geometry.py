"""Which size the network sees, and how the picture is padded to it (stdlib and numpy)."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from .options import check_not_too_small

MAX_NETWORK_ASPECT: Final = 4
"""The network's long side is at most this many times its short side; longer pictures are squeezed into it."""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """The sizes of one picture on its way through the network, all in pixels.

    Attributes:
        height: of the photograph.
        width: of the photograph.
        network_height: of the photograph as the network sees it, before padding.
        network_width: likewise.
        padded_height: multiple of the model's `multiple_of`.
        padded_width: likewise.
        size: the network's short side that was asked for.
    """

    height: int
    width: int
    network_height: int
    network_width: int
    padded_height: int
    padded_width: int
    size: int


def plan_network(height: int, width: int, size: int, multiple_of: int) -> NetworkPlan:
    """Plan the network's input for a photograph of `height` x `width`.

    The short side becomes `size` and the aspect ratio is kept, up to the cap of `MAX_NETWORK_ASPECT`.

    Raises:
        PictureError: a side is under `MIN_SIDE`.
    """
    check_not_too_small(width, height)
    aspect = min(max(height, width) / min(height, width), MAX_NETWORK_ASPECT)
    long_side = max(size, round(size * aspect))
    net_h, net_w = (size, long_side) if height <= width else (long_side, size)
    return NetworkPlan(height, width, net_h, net_w, _round_up(net_h, multiple_of), _round_up(net_w, multiple_of), size)


def _round_up(value: int, multiple: int) -> int:
    return math.ceil(value / multiple) * multiple


def pad_by_reflection(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pad (..., h, w) at the bottom and the right to (..., height, width) by reflection without repeating the edge."""
    h, w = planes.shape[-2:]
    still = [(0, 0)] * (planes.ndim - 2)
    return np.pad(planes, [*still, (0, height - h), (0, width - w)], mode="reflect")
