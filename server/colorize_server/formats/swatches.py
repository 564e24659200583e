"""Palettes as files that painting programs load: GIMP's .gpl, Photoshop's .aco, Adobe's .ase.

.aco and .ase hold L*a*b* relative to D50, so that a colour is the same whatever the document's profile; .gpl can only
hold sRGB.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..color.rgb import lab_d50_from_d65
from ..errors import OutputError

COLUMNS: Final = 7
_ACO_LAB: Final = 7
_ASE_GROUP, _ASE_GROUP_END, _ASE_COLOUR = 0xC001, 0xC002, 0x0001
_ASE_NORMAL: Final = 2
"""Neither spot nor global."""
_MAX_NAME: Final = 1000
"""UTF-16 units of a name; Photoshop shows 63."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """One colour of a palette.

    Attributes:
        name: what the program shows.
        lab: CIE L*a*b* (D65).
        srgb: the same colour, 0..255.
    """

    name: str
    lab: tuple[float, float, float]
    srgb: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Colours that belong together.

    Attributes:
        name: what they are for.
        swatches: the colours.
    """

    name: str
    swatches: tuple[Swatch, ...]


def encode_palette(ending: str, name: str, groups: Sequence[Group]) -> bytes:
    """Return a palette as the bytes of a file.

    Args:
        ending: one of `PALETTE_ENDINGS`, in lower case.
        name: of the palette.
        groups: its colours; only .ase keeps the groups apart.

    Raises:
        OutputError: no such kind of palette can be written.
    """
    if ending not in _ENCODERS:
        raise OutputError(
            f"A palette cannot be written as {ending or 'a file without an ending'}.",
            f"Use a name that ends in {', '.join(PALETTE_ENDINGS)}.",
            code="not_writable",
        )
    return _ENCODERS[ending](name, groups)


def _gpl(name: str, groups: Sequence[Group]) -> bytes:
    """GIMP's palette, text (https://developer.gimp.org/core/standards/gpl/)."""
    lines = ["GIMP Palette", f"Name: {_line(name)}", f"Columns: {COLUMNS}", "#"]
    for group in groups:
        for swatch in group.swatches:
            red, green, blue = swatch.srgb
            lines.append(f"{red:3d} {green:3d} {blue:3d}\t{_line(swatch.name)}")
    return "\n".join([*lines, ""]).encode()


def _aco(name: str, groups: Sequence[Group]) -> bytes:
    """Photoshop's color swatches (Adobe Photoshop File Formats Specification): version 1, then 2, which has names."""
    del name  # the file has none
    swatches = [swatch for group in groups for swatch in group.swatches]
    head = [struct.pack(">HH", version, len(swatches)) for version in (1, 2)]
    colours = [struct.pack(">HHhhH", _ACO_LAB, *_hundredths(swatch), 0) for swatch in swatches]
    named = [
        colour + struct.pack(">I", len(text) // 2) + text
        for colour, text in zip(colours, (_utf16(swatch.name) for swatch in swatches), strict=True)
    ]
    return b"".join([head[0], *colours, head[1], *named])


def _ase(name: str, groups: Sequence[Group]) -> bytes:
    """Adobe Swatch Exchange: blocks with a kind and a length; each place is a group."""
    del name  # groups have names
    blocks = []
    for group in groups:
        blocks.append(_ase_block(_ASE_GROUP, _ase_name(group.name)))
        for swatch in group.swatches:
            lightness, a, b = _lab_d50(swatch)
            values = struct.pack(">4s3fH", b"LAB ", lightness / 100, a, b, _ASE_NORMAL)
            blocks.append(_ase_block(_ASE_COLOUR, _ase_name(swatch.name) + values))
        blocks.append(_ase_block(_ASE_GROUP_END, b""))
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def _ase_block(kind: int, content: bytes) -> bytes:
    return struct.pack(">HI", kind, len(content)) + content


def _ase_name(text: str) -> bytes:
    encoded = _utf16(text)
    return struct.pack(">H", len(encoded) // 2) + encoded


def _utf16(text: str) -> bytes:
    """Return text in UTF-16 with the null that both of Adobe's formats count."""
    encoded = text.encode("utf-16-be", "replace")[: 2 * _MAX_NAME]
    return encoded.decode("utf-16-be", "ignore").encode("utf-16-be") + b"\0\0"


def _line(text: str) -> str:
    return " ".join(text.split())


def _lab_d50(swatch: Swatch) -> tuple[float, float, float]:
    lightness, a, b = (float(value) for value in lab_d50_from_d65(np.array(swatch.lab)))
    return lightness, a, b


def _hundredths(swatch: Swatch) -> tuple[int, int, int]:
    """Return L* as 0..10000 and a*, b* as -12800..12700."""
    lightness, a, b = (round(100 * value) for value in _lab_d50(swatch))
    return min(max(lightness, 0), 10000), min(max(a, -12800), 12700), min(max(b, -12800), 12700)


_ENCODERS: Final[dict[str, Callable[[str, Sequence[Group]], bytes]]] = {".ase": _ase, ".aco": _aco, ".gpl": _gpl}
PALETTE_ENDINGS: Final = tuple(_ENCODERS)
"""Endings of the palettes that can be written."""
