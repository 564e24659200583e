"""The picture path as a whole, with the tiny model: what is promised of lightness, hosts, depth, alpha and size."""

import numpy as np
import pytest
from blend_modes import LUMA, gimp_lch_color, photoshop_color
from colorize_server.color.cie import lab_from_relative_xyz
from colorize_server.color.difference import ciede2000
from colorize_server.color.rgb import SRGB, RgbSpace
from colorize_server.errors import CancelledError, SizeNotOfferedError
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.control import Control
from colorize_server.picture.options import PROFILES, Blend, Host, Options, Output
from colorize_server.picture.photograph import GREY_PROFILES, RGB_PROFILES, Photograph, profile_by_name
from hypothesis import given, settings
from hypothesis import strategies as st

COMPOSITE = Options(output=Output.COMPOSITE)
STROKES = [(255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 0), (255, 0, 255), (0, 0, 0)]


def ramp(levels: int, height: int = 360, width: int = 500) -> np.ndarray:
    """Return grey from black to white with grain, (height, width, 1)."""
    rng = np.random.default_rng(3)
    values = np.linspace(-0.02, 1.02, width) + rng.normal(0, 0.012, (height, width))
    dtype = np.uint8 if levels == 256 else np.uint16
    return np.rint(np.clip(values, 0, 1) * (levels - 1)).astype(dtype)[..., None]


def strokes(height: int, width: int) -> np.ndarray:
    """Return hints that paint saturated bands across the whole ramp."""
    hints = np.zeros((height, width, 4), np.uint8)
    for i, colour in enumerate(STROKES):
        hints[20 + 55 * i : 60 + 55 * i] = (*colour, 255)
    return hints


def lightness_error(photograph: Photograph, pixels: np.ndarray, space: RgbSpace = SRGB) -> np.ndarray:
    lab = space.lab_from_encoded(pixels[..., :3] / (photograph.levels - 1))
    return np.abs(lab[..., 0] - photograph.lightness(0, photograph.height))


@pytest.mark.parametrize("levels", [256, 65536])
@pytest.mark.parametrize("hinted", [False, True])
@pytest.mark.parametrize("output", list(Output))
def test_lightness_is_the_photographs(colorizer: Colorizer, levels: int, hinted: bool, output: Output) -> None:
    """The bars of lossless output, from black to white, with twice the saturation and saturated hints."""
    photograph = Photograph(ramp(levels), profile_by_name("srgb", 1))
    hints = strokes(360, 500) if hinted else None
    out, _ = colorizer.colorize(photograph, Options(output=output, saturation=2), hints=hints)
    error = lightness_error(photograph, out)
    if levels == 256:
        assert error.mean() <= 0.12
        assert np.percentile(error, 99.9) <= 0.35
        assert error.max() <= 0.6
    else:
        assert error.max() <= 0.05


@pytest.mark.parametrize("name", list(RGB_PROFILES))
def test_raw_rgb_comes_back_in_its_own_space(colorizer: Colorizer, name: str) -> None:
    """A tinted scan in each listed space: lightness holds there, and the tint itself plays no part."""
    space = RGB_PROFILES[name]
    grey = ramp(65536)
    tinted = np.concatenate([grey, (grey * 0.9).astype(np.uint16), (grey * 0.7).astype(np.uint16)], axis=-1)
    photograph = Photograph(tinted, space)
    out, _ = colorizer.colorize(photograph, COMPOSITE)
    assert lightness_error(photograph, out, space).max() <= 0.05
    toned = photograph.lightness(0, photograph.height)
    same = Photograph(tinted[..., ::-1].copy(), space)
    assert np.abs(same.lightness(0, 360) - toned).max() > 1


@pytest.mark.parametrize("saturation", [1.0, 2.0])
def test_gimp_blends_a_layer_back_to_its_own_colours(colorizer: Colorizer, saturation: float) -> None:
    """LCh Color over the photograph gives the layer's RGB within 2 levels, saturated hints included."""
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    layer, _ = colorizer.colorize(photograph, Options(host=Host.GIMP, saturation=saturation), hints=strokes(360, 500))
    base = np.repeat(photograph.pixels / 255, 3, axis=-1)
    blended = gimp_lch_color(base, layer / 255)
    difference = np.abs(np.rint(np.clip(blended, 0, 1) * 255) - layer)
    assert np.percentile(difference, 99.9) <= 2


def test_gimps_composite_can_be_had_without_gimp(colorizer: Colorizer) -> None:
    """The composite for GIMP is what its blend gives, also where that differs from the plain composite."""
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    hints = strokes(360, 500)
    layer, _ = colorizer.colorize(photograph, Options(host=Host.GIMP), hints=hints)
    composite, _ = colorizer.colorize(photograph, Options(host=Host.GIMP, output=Output.COMPOSITE), hints=hints)
    plain, _ = colorizer.colorize(photograph, COMPOSITE, hints=hints)
    assert np.abs(layer.astype(int) - composite).max() <= 1  # a layer of bytes is rounded for what GIMP makes of it
    assert np.percentile(np.abs(plain.astype(int) - composite), 99.9) > 4


def test_bright_saturated_layers_are_rounded_for_gimp(colorizer: Colorizer) -> None:
    """Where red is nearly black, GIMP's shift of lightness would be worth three levels of it after plain rounding."""
    grey = np.repeat(np.arange(176, 226, dtype=np.uint8), 8)[None, :, None].repeat(256, axis=0)
    photograph = Photograph(grey, profile_by_name("srgb", 1))
    hints = np.full((*grey.shape[:2], 4), 255, np.uint8)
    hints[..., 0] = 0
    hints[..., 2] = np.linspace(100, 255, 256)[:, None]  # green to cyan
    layer, _ = colorizer.colorize(photograph, Options(host=Host.GIMP), hints=hints)
    composite, _ = colorizer.colorize(photograph, Options(host=Host.GIMP, output=Output.COMPOSITE), hints=hints)
    base = np.repeat(photograph.pixels / 255, 3, axis=-1)

    def worst(bytes_of_layer: np.ndarray) -> float:
        shown = np.rint(np.clip(gimp_lch_color(base, bytes_of_layer / 255), 0, 1) * 255)
        return float(np.percentile(np.abs(shown - composite), 99.9))

    assert worst(layer) <= 2 < worst(composite)


def test_a_layer_made_for_no_host_fails_the_gimp_test(colorizer: Colorizer) -> None:
    """The check above can fail: a layer for Photoshop is several levels off in GIMP."""
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    layer, _ = colorizer.colorize(photograph, Options(host=Host.PHOTOSHOP, saturation=2), hints=strokes(360, 500))
    blended = gimp_lch_color(np.repeat(photograph.pixels / 255, 3, axis=-1), layer / 255)
    assert np.percentile(np.abs(np.rint(np.clip(blended, 0, 1) * 255) - layer), 99.9) > 2


# ProPhoto is for 16 bits: at 8 its levels are so coarse that rounding alone costs 0.8 at the 95th percentile.
@pytest.mark.parametrize(
    ("name", "levels"), [("srgb", 256), ("adobe-rgb", 256), ("srgb", 65536), ("adobe-rgb", 65536), ("prophoto", 65536)]
)
def test_photoshop_gives_our_colours_with_the_photographs_luma(colorizer: Colorizer, name: str, levels: int) -> None:
    """Color mode over a tinted scan: luma within a level, and a*b* those of our own composite."""
    space = RGB_PROFILES[name]
    grey, top = ramp(levels), levels - 1
    photograph = Photograph(np.concatenate([grey, grey // 10 * 9, grey // 10 * 8], axis=-1), space)
    layer, _ = colorizer.colorize(photograph, Options(host=Host.PHOTOSHOP))
    own, _ = colorizer.colorize(photograph, COMPOSITE)
    base = photograph.pixels / top
    blended = photoshop_color(base, layer / top)
    assert np.abs((np.rint(blended * 255) - base * 255) @ LUMA).max() <= 1
    ours, theirs = space.lab_from_encoded(own / top), space.lab_from_encoded(blended)
    strong = np.hypot(ours[..., 1], ours[..., 2]) >= 10
    assert strong.mean() > 0.3
    theirs[..., 0] = ours[..., 0]
    error = ciede2000(ours, theirs)[strong]
    assert error.mean() <= 0.6
    assert np.percentile(error, 95) <= 0.8


@pytest.mark.parametrize(("stroke", "bar"), [((0, 150, 130), 7.5), ((30, 140, 60), 8.5), ((220, 20, 30), 3.0)])
def test_strokes_near_white_keep_their_colour_under_photoshops_luma(
    colorizer: Colorizer, stroke: tuple[int, int, int], bar: float
) -> None:
    """A bright green of a grey's luma is lighter than the grey: near white there is room for less of it, not none."""
    grey = np.repeat(np.arange(2, 254, dtype=np.uint8), 8)[None, :, None].repeat(256, axis=0)
    photograph = Photograph(grey, profile_by_name("srgb", 1))
    hints = np.full((*grey.shape[:2], 4), (*stroke, 255), np.uint8)
    layer, _ = colorizer.colorize(photograph, Options(host=Host.PHOTOSHOP), hints=hints)
    own, _ = colorizer.colorize(photograph, COMPOSITE, hints=hints)
    blended = np.rint(photoshop_color(np.repeat(grey / 255, 3, axis=-1), layer / 255) * 255) / 255
    ours, theirs = SRGB.lab_from_encoded(own / 255), SRGB.lab_from_encoded(blended)
    theirs[..., 0] = ours[..., 0]
    assert ciede2000(ours, theirs).max() <= bar


def test_an_unadjusted_layer_fails_the_photoshop_test(colorizer: Colorizer) -> None:
    """The check above can fail: our composite itself, used as a layer, misses its bar."""
    photograph = Photograph(np.repeat(ramp(256), 3, axis=-1), SRGB)
    own, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE, saturation=2))
    blended = photoshop_color(photograph.pixels / 255, own / 255)
    ours, theirs = SRGB.lab_from_encoded(own / 255), SRGB.lab_from_encoded(blended)
    strong = np.hypot(ours[..., 1], ours[..., 2]) >= 10
    theirs[..., 0] = ours[..., 0]
    assert np.percentile(ciede2000(ours, theirs)[strong], 95) > 0.8


def test_multiply_gives_paper_colour_and_keeps_lines(colorizer: Colorizer) -> None:
    """Line art: white paper takes the colour at L* 88, black lines stay black."""
    art = np.full((200, 300, 1), 255, np.uint8)
    art[50:54] = 0
    photograph = Photograph(art, profile_by_name("srgb", 1))
    layer, _ = colorizer.colorize(photograph, Options(blend=Blend.MULTIPLY))
    light = SRGB.lab_from_encoded(layer / 255)[..., 0]
    np.testing.assert_allclose(light, 88, atol=0.6)
    product = (layer / 255) * (art / 255)
    assert product[52].max() == 0
    lab = SRGB.lab_from_encoded(product[120])
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 5


def test_alpha_survives_and_hides_nothing_from_the_result(colorizer: Colorizer) -> None:
    """Alpha comes back to the bit, and what lies under full transparency does not reach the network."""
    rng = np.random.default_rng(0)
    grey = ramp(65536)
    alpha = rng.integers(0, 65536, grey.shape).astype(np.uint16)
    out, _ = colorizer.colorize(Photograph(np.concatenate([grey, alpha], -1), profile_by_name("srgb", 2)), COMPOSITE)
    assert out.shape == (360, 500, 4)
    np.testing.assert_array_equal(out[..., 3], alpha[..., 0])
    clear = np.zeros_like(alpha)
    first, _ = colorizer.colorize(Photograph(np.concatenate([grey, clear], -1), profile_by_name("srgb", 2)), COMPOSITE)
    lab = SRGB.lab_from_encoded(first[..., :3] / 65535)
    middle = (lab[..., 0] > 30) & (lab[..., 0] < 70)
    # The tiny model's chroma is a function of the lightness it sees: constant here, because all it sees is mid grey.
    assert lab[middle][:, 1].std() < 0.3


@settings(deadline=None, max_examples=25)
@given(
    st.integers(8, 200),
    st.integers(8, 200),
    st.integers(1, 4),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from(list(Host)),
    st.sampled_from(list(Output)),
)
def test_any_size_depth_and_channels_work(
    colorizer: Colorizer, height: int, width: int, channels: int, dtype: type, host: Host, output: Output
) -> None:
    rng = np.random.default_rng(height)
    pixels = rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)
    photograph = Photograph(pixels, profile_by_name("srgb", channels))
    doubt = np.full((height, width), 255, np.uint8)
    out, _ = colorizer.colorize(photograph, Options(host=host, output=output, size=64), doubt_out=doubt)
    assert out.shape == (height, width, 3 if channels in (1, 3) else 4)
    assert out.dtype == dtype
    assert doubt.max() < 255


@pytest.mark.parametrize(("height", "width"), [(8, 160), (160, 8), (16, 320), (8, 400), (1200, 60)])
def test_extreme_aspect_ratios_work(colorizer: Colorizer, height: int, width: int) -> None:
    photograph = Photograph(np.full((height, width, 1), 128, np.uint8), profile_by_name("srgb", 1))
    out, _ = colorizer.colorize(photograph, COMPOSITE)
    assert out.shape == (height, width, 3)
    assert lightness_error(photograph, out).max() <= 0.6


def test_strips_and_threads_change_nothing(colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny strips give the same picture to the bit as whole ones."""
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    whole, _ = colorizer.colorize(photograph, COMPOSITE)
    monkeypatch.setattr("colorize_server.picture.upsample.STRIP_PIXELS", 600)
    monkeypatch.setattr("colorize_server.picture.reduce.STRIP_PIXELS", 600)
    small, _ = colorizer.colorize(photograph, COMPOSITE)
    np.testing.assert_array_equal(whole, small)


def test_a_strokes_colour_stands_under_the_stroke(colorizer: Colorizer) -> None:
    """Where a stroke was painted the result has its a*b*, gamut-mapped at the photograph's lightness."""
    grey = np.full((300, 300, 1), 120, np.uint8)
    hints = np.zeros((300, 300, 4), np.uint8)
    hints[100:103, 50:250] = (30, 90, 160, 255)
    photograph = Photograph(grey, profile_by_name("srgb", 1))
    out, _ = colorizer.colorize(photograph, COMPOSITE, hints=hints)
    got = SRGB.lab_from_encoded(out[101, 60:240] / 255)
    wanted = SRGB.lab_from_encoded(np.array([30, 90, 160]) / 255)
    wanted = np.broadcast_to(wanted, got.shape).copy()
    wanted[:, 0] = got[:, 0]
    assert ciede2000(got, wanted).max() <= 1.5


def test_saturation_zero_is_grey_and_does_not_scale_hints(colorizer: Colorizer) -> None:
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    out, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE, saturation=0))
    assert np.ptp(out.astype(int), axis=-1).max() <= 1
    hints = np.zeros((360, 500, 4), np.uint8)
    hints[100:140, 200:300] = (200, 60, 60, 255)
    hinted, _ = colorizer.colorize(photograph, Options(output=Output.COMPOSITE, saturation=0), hints=hints)
    assert np.ptp(hinted[120, 250].astype(int)) > 50


def test_cancelling_stops_the_work(colorizer: Colorizer) -> None:
    """Cancelled from its own progress report, nothing further is done; the next picture works."""
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    seen: list[float] = []
    control = Control(lambda fraction: (seen.append(fraction), control.cancel())[0])
    with pytest.raises(CancelledError):
        colorizer.colorize(photograph, COMPOSITE, control=control)
    assert len(seen) == 1
    progress: list[float] = []
    colorizer.colorize(photograph, COMPOSITE, control=Control(progress.append))
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1)


def test_a_size_that_the_model_was_not_tested_at_is_refused(colorizer: Colorizer) -> None:
    photograph = Photograph(ramp(256), profile_by_name("srgb", 1))
    with pytest.raises(SizeNotOfferedError, match="not tested at size 100") as caught:
        colorizer.colorize(photograph, Options(size=100))
    assert caught.value.hint == "Use one of 64, 128, 256."


def test_lightness_of_linear_and_gamma_grey_is_exact() -> None:
    """Mid grey in three encodings of the same light has the same L*."""
    y = 0.18
    for name, encoded in (("srgb", 0.461356), ("linear", y), ("gray-gamma-2.2", y ** (1 / 2.2))):
        pixels = np.array([[[round(encoded * 65535)]]], np.uint16)
        light = Photograph(pixels, profile_by_name(name, 1)).lightness(0, 1)[0, 0]
        assert light == pytest.approx(float(lab_from_relative_xyz(np.array([y, y, y]))[0]), abs=0.01)


def test_every_profile_that_may_be_named_is_there_for_its_channels() -> None:
    counts = dict.fromkeys(GREY_PROFILES, (1, 2))
    for name in RGB_PROFILES:
        counts[name] = (*counts.get(name, ()), 3, 4)
    assert counts == PROFILES
    assert [profile.name for profile in (*GREY_PROFILES.values(), *RGB_PROFILES.values())] == [
        *GREY_PROFILES,
        *RGB_PROFILES,
    ]
