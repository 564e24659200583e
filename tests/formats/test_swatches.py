"""Palettes as files, read back by programs that are not ours; GIMP itself reads them in `tests/plugins/gimp`."""

import struct
from pathlib import Path

import numpy as np
import pytest
import swatch
from colorize_server.color.rgb import SRGB
from colorize_server.errors import OutputError
from colorize_server.formats.swatches import PALETTE_ENDINGS, Swatch, encode_palette
from PIL import Image, ImageCms
from PIL.GimpPaletteFile import GimpPaletteFile


def named(name: str, *srgb: int) -> Swatch:
    lab = SRGB.lab_from_encoded(np.array(srgb) / 255)
    return Swatch(name, tuple(float(value) for value in lab), srgb)  # type: ignore[arg-type]


ALL = [
    named("3,5: 41 %", 171, 113, 98),
    named("3,5: 20 %", 128, 128, 128),
    named("9,1: used here, 12 %", 20, 30, 90),
    named("𝄞 " + "é" * 1500, 255, 255, 255),
]


def lab_d50(*srgb: int) -> np.ndarray:
    """The L*a*b* that LittleCMS, with its own sRGB profile, gives to a colour."""
    image = Image.new("RGB", (1, 1), srgb)
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        "RGB",
        "LAB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    lightness, a, b = ImageCms.applyTransform(image, transform).getpixel((0, 0))
    return np.array([lightness * 100 / 255, a - 128, b - 128])


def test_ase_is_read_by_another_parser_with_names_and_lab(tmp_path: Path) -> None:
    file = tmp_path / "palette.ase"
    file.write_bytes(encode_palette(".ase", "Großmutter", ALL))
    (group,) = swatch.parse(str(file))
    assert group["name"] == "Großmutter"
    read = group["swatches"]
    assert [colour["name"] for colour in read[:3]] == [one.name for one in ALL[:3]]
    assert read[3]["name"].startswith("𝄞 é")
    for colour, one in zip(read, ALL, strict=True):
        assert (colour["type"], colour["data"]["mode"]) == ("Process", "LAB")
        lightness, a, b = colour["data"]["values"]
        assert [100 * lightness, a, b] == pytest.approx(lab_d50(*one.srgb), abs=1.0)


def test_gpl_is_read_by_pillow(tmp_path: Path) -> None:
    file = tmp_path / "palette.gpl"
    file.write_bytes(encode_palette(".gpl", "Colours\nfor a photograph", ALL[:3]))
    with file.open("rb") as stream:
        colours, mode = GimpPaletteFile(stream).getpalette()
    assert mode == "RGB"
    assert list(colours[:9]) == [level for one in ALL[:3] for level in one.srgb]
    lines = file.read_text().splitlines()
    assert lines[1] == "Name: Colours for a photograph"
    assert lines[-1].endswith("\t9,1: used here, 12 %")


def test_aco_holds_both_versions_as_adobe_describes_them() -> None:
    """Adobe Photoshop File Formats Specification, "Color swatches"; 0 is RGB."""
    data = encode_palette(".aco", "any", ALL)
    assert struct.unpack_from(">HH", data) == (1, len(ALL))
    at = 4
    first = []
    for one in ALL:
        space, *levels, rest = struct.unpack_from(">5H", data, at)
        first.append(data[at : at + 10])
        at += 10
        assert (space, rest) == (0, 0)
        assert [level / 65535 for level in levels] == pytest.approx([level / 255 for level in one.srgb])
    assert struct.unpack_from(">HH", data, at) == (2, len(ALL))
    at += 4
    for one, colour in zip(ALL, first, strict=True):
        assert data[at : at + 10] == colour
        (length,) = struct.unpack_from(">I", data, at + 10)
        text = data[at + 14 : at + 14 + 2 * length].decode("utf-16-be")
        at += 14 + 2 * length
        assert text.endswith("\0")
        assert one.name.startswith(text[:-1])
        assert len(text) == min(len(one.name), 999) + 1
    assert at == len(data)


def test_other_endings_are_refused_with_those_that_can_be_written() -> None:
    assert PALETTE_ENDINGS == (".ase", ".aco", ".gpl")
    for ending in ("", ".txt"):
        with pytest.raises(OutputError, match=r"\.ase, \.aco, \.gpl"):
            encode_palette(ending, "any", ALL)
