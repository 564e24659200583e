"""Real photographs through the shipped model, and synthetic extremes: the promises of the picture path on each."""

from pathlib import Path

import numpy as np
import pytest
from blend_modes import LUMA, gimp_lch_color, photoshop_color
from colorize_server.color.difference import ciede2000
from colorize_server.color.rgb import SRGB
from colorize_server.formats.decode import decode_picture
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.options import Host, Options, Output
from colorize_server.picture.photograph import Photograph, profile_by_name

TESTS = Path(__file__).parents[1]
IN_REPOSITORY = [
    "abraham-lincoln-1860s",
    "appalachian-loggers-1901",
    "apsaroke-1908",
    "girl-1870",
    "migrant-mother-1936",
    "new-york-blizzard-1899",
    "walt-whitman-1880s",
]
# More of the same kind, which do not ship with the repository: used where they lie beside it.
BESIDE = TESTS.parents[1] / "shared" / "data" / "historical"
OTHERS = [
    "1864UnionSoldier",
    "1890Surfer",
    "1907Cowboys",
    "1908FamilyPhoto",
    "AustriaHungaryWomen1890s",
    "HelenKeller",
    "InuitWoman1903",
    "MadisonSquare1900",
    "Mid1800sSisters",
    "NativeCouple1912",
    "NewspaperCivilWar1863",
    "Rutherford_Hayes",
    "SenecaNative1908",
    "civil_war",
    "dorothea-lange",
]
FILES = [TESTS / "photographs" / f"{name}.jpg" for name in IN_REPOSITORY]
FILES += [BESIDE / f"{name}.jpg" for name in OTHERS if BESIDE.is_dir()]

COMPOSITE = Options(output=Output.COMPOSITE)


def _checkerboard() -> np.ndarray:
    y, x = np.mgrid[:300, :400]
    return np.where((x // 7 + y // 7) % 2, 255, 0)


EXTREMES = {
    "black": np.zeros((200, 300)),
    "white": np.full((200, 300), 255),
    "checkerboard of black and white": _checkerboard(),
    "ramp": np.tile(np.linspace(0, 255, 400), (200, 1)),
    "noise": np.random.default_rng(0).integers(0, 256, (200, 300)),
    "1 to 20, lying": np.tile(np.linspace(0, 255, 1200), (60, 1)),
    "1 to 20, standing": np.tile(np.linspace(0, 255, 1200)[:, None], (1, 60)),
    "8 pixels": np.arange(64).reshape(8, 8) * 4,
}


def assert_lightness(photograph: Photograph, composite: np.ndarray) -> np.ndarray:
    """Check the bars of lossless 8-bit output; return the composite's Lab."""
    lab = SRGB.lab_from_encoded(composite / 255)
    error = np.abs(lab[..., 0] - photograph.lightness(0, photograph.height))
    assert error.mean() <= 0.12
    assert np.percentile(error, 99.9) <= 0.35
    assert error.max() <= 0.6
    return lab


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_real_photograph_keeps_its_lightness_and_gets_colour(shipped: Colorizer, path: Path) -> None:
    """L* holds, there is colour, it is not one tint over everything, and the same again is the same to the bit."""
    photograph = decode_picture(path.read_bytes())
    composite, _ = shipped.colorize(photograph, COMPOSITE, keep_profile=False)
    lab = assert_lightness(photograph, composite)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    assert np.percentile(chroma, 95) > 6
    assert lab[..., 1:].std(axis=(0, 1)).max() > 1.5
    again, _ = shipped.colorize(photograph, COMPOSITE, keep_profile=False)
    np.testing.assert_array_equal(composite, again)


@pytest.mark.parametrize("path", FILES[: len(IN_REPOSITORY)], ids=lambda p: p.stem)
def test_layers_give_our_colours_in_both_hosts(shipped: Colorizer, path: Path) -> None:
    """The bars of host=gimp and host=photoshop on the shipped model's own colours."""
    photograph = decode_picture(path.read_bytes())
    base = photograph.pixels / 255
    if base.shape[2] == 1:
        base = np.repeat(base, 3, axis=2)
    own, _ = shipped.colorize(photograph, COMPOSITE)
    layer, _ = shipped.colorize(photograph, Options(host=Host.GIMP))
    blended = np.rint(np.clip(gimp_lch_color(base, layer / 255), 0, 1) * 255)
    assert np.percentile(np.abs(blended - layer), 99.9) <= 2

    layer, _ = shipped.colorize(photograph, Options(host=Host.PHOTOSHOP))
    blended = photoshop_color(base, layer / 255)
    assert np.abs((np.rint(blended * 255) - base * 255) @ LUMA).max() <= 1
    ours, theirs = SRGB.lab_from_encoded(own / 255), SRGB.lab_from_encoded(blended)
    strong = np.hypot(ours[..., 1], ours[..., 2]) >= 10
    theirs[..., 0] = ours[..., 0]
    error = ciede2000(ours, theirs)[strong]
    assert strong.sum() > 100
    assert error.mean() <= 0.6
    assert np.percentile(error, 95) <= 0.9  # 0.81 where hardly any is stronger: rounding weighs more


@pytest.mark.parametrize("name", EXTREMES)
def test_an_extreme_picture_works(shipped: Colorizer, name: str) -> None:
    grey = np.rint(EXTREMES[name]).astype(np.uint8)[..., None]
    photograph = Photograph(grey, profile_by_name("srgb", 1))
    composite, _ = shipped.colorize(photograph, COMPOSITE)
    lab = assert_lightness(photograph, composite)
    assert np.isfinite(lab).all()


def test_a_sepia_scan_gets_the_colours_of_its_grey_self(shipped: Colorizer, photographs: Path) -> None:
    """Tint is no information: toning a scan at the same lightness changes nothing but rounding."""
    grey = decode_picture((photographs / "migrant-mother-1936.jpg").read_bytes())
    light = grey.lightness(0, grey.height)
    tint = light * (100 - light) / 100
    sepia = SRGB.encoded_from_lab(np.stack([light, 0.16 * tint, 0.4 * tint], axis=-1))
    assert sepia.min() > -1e-6
    assert sepia.max() < 1 + 1e-6
    toned = Photograph(np.rint(np.clip(sepia, 0, 1) * 65535).astype(np.uint16), SRGB)
    plain = Photograph(grey.pixels.astype(np.uint16) * 257, grey.profile)
    first, _ = shipped.colorize(plain, COMPOSITE)
    second, _ = shipped.colorize(toned, COMPOSITE)
    difference = ciede2000(SRGB.lab_from_encoded(first / 65535), SRGB.lab_from_encoded(second / 65535))
    assert np.percentile(difference, 99) < 0.1
