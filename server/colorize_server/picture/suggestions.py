"""Which colours a place of a photograph may have: from what the model says of it to swatches that an artist can use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..color.difference import ciede2000
from ..color.gamut import chroma_in_gamut
from ..color.rgb import SRGB
from ..contract import CHROMA_SCALE, SUGGESTIONS
from .hints import Rgba

Floats: TypeAlias = NDArray[np.float32]

ALIKE: Final = 5.0
"""CIEDE2000; two swatches that differ by less are one choice to a painter."""
SAME: Final = 10.0
"""a*b* units around a colour that count as that colour: the width of the bins that the model learns."""
LEAST_SHARE: Final = 0.005
"""What is less likely is left out."""
MOST_USED: Final = 3
"""Colours of the artist's own that come first at a place; the likeliest there."""
OPAQUE: Final = 128
"""Alpha of 255 from which a pixel counts as a stroke's own colour."""
_LEVELS: Final = 32
"""Steps of each channel; colours of strokes that share all three steps count as one."""
_BLOCK_PIXELS: Final = 1 << 20
_MOST_COLOURS: Final = 64
_LAB_TO_LINEAR: Final = np.linalg.inv(SRGB.to_relative_xyz)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A colour that a place may have, as it looks at the photograph's lightness there.

    Attributes:
        lab: CIE L*a*b* (D65), inside sRGB.
        srgb: the same colour, 0..255.
        share: how likely it is, 0..1.
        is_used: whether the artist has used it in this picture.
    """

    lab: tuple[float, float, float]
    srgb: tuple[int, int, int]
    share: float
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a photograph and the colours that it may have.

    Attributes:
        x: pixels from the left.
        y: pixels from the top.
        lightness: L* of the photograph around it, 0..100.
        colours: at most `SUGGESTIONS`: those that the artist has used, then the others; each likeliest first.
    """

    x: int
    y: int
    lightness: float
    colours: tuple[Suggestion, ...]


def used_colours(hints: Rgba | None) -> Floats:
    """Return the colours that an artist has used, those that cover most first.

    Args:
        hints: (height, width, 4) uint8, sRGB, straight alpha; None for none.

    Returns:
        (n, 2) float32, a*b*; no two within `SAME`.
    """
    if hints is None:
        return np.empty((0, 2), np.float32)
    counts, sums = np.zeros(_LEVELS**3), np.zeros((3, _LEVELS**3))
    rows = max(1, _BLOCK_PIXELS // hints.shape[1])
    for start in range(0, len(hints), rows):
        block = hints[start : start + rows]
        painted = block[block[..., 3] >= OPAQUE][:, :3]
        steps = (painted // (256 // _LEVELS)).astype(np.int32)
        index = (steps[:, 0] * _LEVELS + steps[:, 1]) * _LEVELS + steps[:, 2]
        counts += np.bincount(index, minlength=_LEVELS**3)
        for channel, total in enumerate(sums):
            total += np.bincount(index, painted[:, channel], minlength=_LEVELS**3)
    found = np.flatnonzero(counts)
    found = found[np.argsort(-counts[found], kind="stable")]
    chroma = SRGB.lab_from_encoded((sums[:, found] / counts[found] / 255).T)[:, 1:]
    kept: list[NDArray[np.float64]] = []
    for colour in chroma:
        if all(np.hypot(*(colour - other)) > SAME for other in kept):
            kept.append(colour)
        if len(kept) == _MOST_COLOURS:
            break
    return np.array(kept, np.float32).reshape(-1, 2)


def swatches(colours: Floats, lightness: float, used: Floats) -> tuple[Suggestion, ...]:
    """Turn what the model says of a place into the colours that an artist is shown.

    Args:
        colours: (n, 3) float32: a*, b* (network units) and share, as the contract's `colours` has them.
        lightness: L* of the photograph there, 0..100.
        used: (m, 2) float32, from `used_colours`.

    Returns:
        At most `SUGGESTIONS`, inside sRGB, no two alike but for those that were used.
    """
    chroma, shares = colours[:, :2] * np.float32(CHROMA_SCALE), colours[:, 2]
    # A colour that was used speaks for everything within reach of it; what it does not reach is suggested beside it.
    away = np.hypot(*np.moveaxis(used[:, None] - chroma[None], -1, 0))
    near = away <= SAME
    if len(used):
        near &= np.arange(len(used))[:, None] == away.argmin(axis=0)  # each is counted once
    own_share = near @ shares
    first = np.argsort(-own_share, kind="stable")[:MOST_USED]
    rest = ~near[first].any(axis=0) & (shares >= LEAST_SHARE)
    shown_used = _at_lightness(used[first], lightness)
    shown = _at_lightness(chroma[rest], lightness)
    kept = _merged(shown, shares[rest], shown_used)
    chosen = [(shown_used[i], float(own_share[first[i]]), True) for i in range(len(first))]
    chosen += [(shown[i], share, False) for i, share in kept]
    return tuple(_suggestion(lab, share, is_used=own) for lab, share, own in chosen[:SUGGESTIONS])


def _at_lightness(chroma: Floats, lightness: float) -> Floats:
    """Return (n, 3) L*a*b* of (n, 2) a*b* at a lightness, with as much of the chroma as sRGB has there."""
    light = np.full(len(chroma), lightness, np.float32)
    a, b, _ = chroma_in_gamut(light, chroma[:, 0].copy(), chroma[:, 1].copy(), _LAB_TO_LINEAR)
    return np.stack([light, a, b], axis=-1)


def _merged(lab: Floats, shares: Floats, taken: Floats) -> list[tuple[int, float]]:
    """Return the indices of the colours that differ visibly, likeliest first, each with the share of all alike.

    Args:
        lab: (n, 3).
        shares: (n,) of each.
        taken: (m, 3) L*a*b* that are shown already.
    """
    kept: list[tuple[int, float]] = []
    for i in np.argsort(-shares, kind="stable"):
        if len(taken) and ciede2000(lab[i], taken).min() < ALIKE:
            continue
        alike = next((n for n, (other, _) in enumerate(kept) if ciede2000(lab[i], lab[other]) < ALIKE), None)
        if alike is None:
            kept.append((int(i), float(shares[i])))
        else:
            kept[alike] = (kept[alike][0], kept[alike][1] + float(shares[i]))
    return sorted(kept, key=lambda one: -one[1])


def _suggestion(lab: Floats, share: float, *, is_used: bool) -> Suggestion:
    encoded = np.rint(np.clip(SRGB.encoded_from_lab(lab[None])[0], 0, 1) * 255).astype(int)
    lightness, a, b = (float(value) for value in lab)
    return Suggestion(
        (round(lightness, 2), round(a, 2), round(b, 2)),
        (int(encoded[0]), int(encoded[1]), int(encoded[2])),
        round(min(1.0, share), 4),
        is_used,
    )


def as_members(places: Sequence[Place]) -> list[dict[str, object]]:
    """Return the member `places` of PROTOCOL.md."""
    return [
        {
            "x": place.x,
            "y": place.y,
            "lightness": round(place.lightness, 2),
            "colours": [
                {
                    "lab": list(colour.lab),
                    "srgb": list(colour.srgb),
                    "share": colour.share,
                    **({"used": True} if colour.is_used else {}),
                }
                for colour in place.colours
            ],
        }
        for place in places
    ]
