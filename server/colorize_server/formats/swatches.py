"""Palettes as files that painting programs load: GIMP's .gpl, Photoshop's .aco, Adobe's .ase.

.ase holds L*a*b* relative to D50, so that a colour is the same whatever the document's profile.  .aco could, but GIMP
3.0 reads that as nearly black; so it holds sRGB, as .gpl must.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..color.rgb import lab_d50_from_d65
from ..errors import OutputError

COLUMNS: Final = 7
_ACO_RGB: Final = 0
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


def encode_palette(ending: str, name: str, swatches: Sequence[Swatch]) -> bytes:
    """Return a palette as the bytes of a file.

    Args:
        ending: one of `PALETTE_ENDINGS`, in lower case.
        name: of the palette.
        swatches: its colours.

    Raises:
        OutputError: no such kind of palette can be written.
    """
    if ending not in _ENCODERS:
        raise OutputError(
            f"A palette cannot be written as {ending or 'a file without an ending'}.",
            f"Use a name that ends in {', '.join(PALETTE_ENDINGS)}.",
            code="not_writable",
        )
    return _ENCODERS[ending](name, swatches)


def _gpl(name: str, swatches: Sequence[Swatch]) -> bytes:
    """GIMP's palette, text (https://developer.gimp.org/core/standards/gpl/)."""
    lines = ["GIMP Palette", f"Name: {_line(name)}", f"Columns: {COLUMNS}", "#"]
    for swatch in swatches:
        red, green, blue = swatch.srgb
        lines.append(f"{red:3d} {green:3d} {blue:3d}\t{_line(swatch.name)}")
    return "\n".join([*lines, ""]).encode()


def _aco(name: str, swatches: Sequence[Swatch]) -> bytes:
    """Photoshop's color swatches (Adobe Photoshop File Formats Specification): version 1, then 2, which has names."""
    del name  # the file has none
    head = [struct.pack(">HH", version, len(swatches)) for version in (1, 2)]
    colours = [struct.pack(">5H", _ACO_RGB, *(257 * level for level in swatch.srgb), 0) for swatch in swatches]
    named = [
        colour + struct.pack(">I", len(text) // 2) + text
        for colour, text in zip(colours, (_utf16(swatch.name) for swatch in swatches), strict=True)
    ]
    return b"".join([head[0], *colours, head[1], *named])


def _ase(name: str, swatches: Sequence[Swatch]) -> bytes:
    """Adobe Swatch Exchange: blocks with a kind and a length; one group, because GIMP 3.0 reads the first alone."""
    blocks = [_ase_block(_ASE_GROUP, _ase_name(name))]
    for swatch in swatches:
        lightness, a, b = (float(value) for value in lab_d50_from_d65(np.array(swatch.lab)))
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


_ENCODERS: Final[dict[str, Callable[[str, Sequence[Swatch]], bytes]]] = {".ase": _ase, ".aco": _aco, ".gpl": _gpl}
PALETTE_ENDINGS: Final = tuple(_ENCODERS)
"""Endings of the palettes that can be written."""
