"""Colour science: exact formulas, their inverses, and published reference values."""

import io

import numpy as np
import pytest
from colorize_server.color import gamut
from colorize_server.color.cie import lab_from_relative_xyz, lightness_from_y, relative_xyz_from_lab, y_from_lightness
from colorize_server.color.difference import ciede2000
from colorize_server.color.icc import GreyProfile, UnreadableProfileError, read_profile
from colorize_server.color.rgb import ADOBE_RGB, LINEAR_SRGB, PROPHOTO, SRGB, RgbSpace
from hypothesis import given
from hypothesis import strategies as st
from icc_profiles import grey_profile
from PIL import ImageCms

SPACES = [SRGB, LINEAR_SRGB, ADOBE_RGB, PROPHOTO]

# Sharma, Wu and Dalal 2005, table 1: L1 a1 b1 L2 a2 b2 dE00.
SHARMA = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_ciede2000_gives_the_published_values() -> None:
    """All 34 pairs of Sharma et al., both ways round."""
    table = np.array([[float(v) for v in line.split()] for line in SHARMA.strip().splitlines()])
    assert table.shape == (34, 7)
    np.testing.assert_allclose(ciede2000(table[:, :3], table[:, 3:6]), table[:, 6], atol=5e-5)
    np.testing.assert_allclose(ciede2000(table[:, 3:6], table[:, :3]), table[:, 6], atol=5e-5)


def test_srgb_agrees_with_the_standard() -> None:
    """The matrix of IEC 61966-2-1 and Lab of its primaries (Lindbloom's calculator, D65)."""
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(SRGB.to_relative_xyz * [[0.95047], [1], [1.08883]], published, atol=2e-4)
    lab = SRGB.lab_from_encoded(np.eye(3))
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]]
    np.testing.assert_allclose(lab, expected, atol=0.15)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_neutrals_have_no_chroma_and_codes_survive(space: RgbSpace) -> None:
    """Grey stays grey to the last digit in every space, and Lab leads back to each of the 256 codes."""
    grey = np.repeat(np.arange(256)[:, None] / 255, 3, axis=1)
    lab = space.lab_from_encoded(grey)
    assert np.abs(lab[:, 1:]).max() < 1e-9
    np.testing.assert_allclose(space.encoded_from_lab(lab), grey, atol=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_lab_and_xyz_invert_each_other(x: float, y: float, z: float) -> None:
    xyz = np.array([x, y, z])
    np.testing.assert_allclose(relative_xyz_from_lab(lab_from_relative_xyz(xyz)), xyz, atol=1e-12)
    assert y_from_lightness(lightness_from_y(np.array([y])))[0] == pytest.approx(y, abs=1e-12)


def test_lightness_matches_the_textbook_formula_in_float32() -> None:
    """Cube root above (6/29)^3 and the line below, within 1e-4 L* in single precision."""
    y = np.linspace(0, 1, 100_001)
    textbook = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)
    np.testing.assert_allclose(lightness_from_y(y.astype(np.float32)), textbook, atol=1e-4)


@given(
    st.floats(0, 100, width=32), st.floats(-128, 128, width=32), st.floats(-128, 128, width=32), st.sampled_from(SPACES)
)
def test_gamut_mapping_keeps_lightness_and_hue(light: float, a: float, b: float, space: RgbSpace) -> None:
    """Whatever is asked for ends inside the gamut with its lightness; only chroma gives way."""
    planes = [np.array([v], np.float32) for v in (light, a, b)]
    a1, b1, linear = gamut.chroma_in_gamut(*planes, np.linalg.inv(space.to_relative_xyz))
    assert linear.min() >= 0
    assert linear.max() <= 1
    lab = lab_from_relative_xyz(linear[:, 0].astype(np.float64) @ space.to_relative_xyz.T)
    assert lab[0] == pytest.approx(light, abs=0.02)
    chroma_in, chroma_out = np.hypot(a, b), float(np.hypot(a1, b1)[0])
    assert chroma_out <= chroma_in + 1e-3
    assert a1[0] * b == pytest.approx(b1[0] * a, abs=1e-2 * (1 + chroma_in))


def test_gamut_mapping_gives_up_no_more_chroma_than_it_must() -> None:
    """Against a bisection in double precision: at most 1 % of random colours lose more than 1 of C*."""
    rng = np.random.default_rng(1)
    light = rng.uniform(1, 99, 20_000).astype(np.float32)
    a, b = (rng.uniform(-110, 110, (2, 20_000))).astype(np.float32)
    matrix = np.linalg.inv(SRGB.to_relative_xyz)

    def inside(k: np.ndarray) -> np.ndarray:
        linear = relative_xyz_from_lab(np.stack([light, a * k, b * k], -1).astype(np.float64)) @ matrix.T
        return (linear.min(-1) >= -1e-9) & (linear.max(-1) <= 1 + 1e-9)

    low, high = np.zeros(20_000), np.ones(20_000)
    already = inside(high)
    for _ in range(40):
        middle = (low + high) / 2
        ok = inside(middle)
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    exact = np.where(already, 1, low)
    lost = (exact - gamut.chroma_factor(light, a, b, matrix)) * np.hypot(a, b)
    assert np.percentile(lost, 99) < 1
    assert np.median(lost) < 0.1


def test_embedded_srgb_profile_is_srgb() -> None:
    """LittleCMS's own sRGB profile, read from its bytes, gives sRGB's colours."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = read_profile(data)
    assert isinstance(profile, RgbSpace)
    colours = np.random.default_rng(0).uniform(size=(500, 3))
    assert ciede2000(profile.lab_from_encoded(colours), SRGB.lab_from_encoded(colours)).max() < 0.1
    back = profile.encoded_from_linear(profile.linear_from_encoded(colours))
    np.testing.assert_allclose(back, colours, atol=2e-4)


def test_grey_profiles_are_read_exactly() -> None:
    """A gamma, and a table as Dot Gain has it, are evaluated as ICC.1 says."""
    gamma = read_profile(grey_profile(gamma=2.2))
    assert isinstance(gamma, GreyProfile)
    v = np.linspace(0, 1, 11)
    np.testing.assert_allclose(gamma.curve.decode(v), v ** (round(2.2 * 256) / 256), atol=1e-9)
    table = np.array([0, 0.1, 0.3, 0.7, 1.0])
    dot_gain = read_profile(grey_profile(table=table))
    assert isinstance(dot_gain, GreyProfile)
    np.testing.assert_allclose(dot_gain.curve.decode(np.array([0, 0.25, 0.375, 1])), [0, 0.1, 0.2, 1], atol=2e-5)


@given(st.binary(max_size=600))
def test_damaged_profiles_are_refused_not_crashed_on(noise: bytes) -> None:
    with pytest.raises(UnreadableProfileError):
        read_profile(noise)


@given(st.integers(0, 2**31), st.integers(1, 40))
def test_bit_flips_in_a_profile_never_raise_anything_else(seed: int, flips: int) -> None:
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    rng = np.random.default_rng(seed)
    for at, bit in zip(rng.integers(0, len(data), flips), rng.integers(0, 8, flips), strict=True):
        data[at] ^= 1 << int(bit)
    try:
        profile = read_profile(bytes(data))
    except UnreadableProfileError:
        return
    with np.errstate(all="ignore"):
        curves = profile.curves if isinstance(profile, RgbSpace) else (profile.curve,)
        assert all(c.linear_table(256).shape == (256,) for c in curves)


def test_pillow_reads_our_srgb_profile() -> None:
    """What files are tagged with is a profile that LittleCMS opens and calls sRGB."""
    from colorize_server.formats.encode import srgb_profile

    opened = ImageCms.getOpenProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(opened)
