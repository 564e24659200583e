"""``colorize --as psd``: what the layers hold, whatever the scan is, and what psd-tools makes of them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from colorize_server.color.icc import matrix_profile, read_profile
from colorize_server.color.rgb import ADOBE_RGB, LUMA_WEIGHTS, PROPHOTO, SRGB, RgbSpace, gamma_curve
from colorize_server.formats.decode import decode_picture
from colorize_server.formats.embedded import read_embedded
from colorize_server.provenance.packet import Packet
from colorize_server.provenance.record import COMPOSITE_SENTENCE, SOURCE_TYPE
from icc_profiles import grey_profile
from PIL import Image, ImageCms
from psd_tools import PSDImage
from psd_tools.composite import composite
from psd_tools.constants import Resource


def grey_scan(dtype: type) -> np.ndarray:
    """Return levels from black to white with grain, (60, 80)."""
    ramp = np.linspace(0.02, 0.98, 80) + np.random.default_rng(0).normal(0, 0.01, (60, 80))
    return np.rint(ramp.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


def uneven_profile() -> bytes:
    """Return a profile with a curve for each colour: sRGB's with one curve exchanged."""
    profile = bytearray(matrix_profile(RgbSpace("uneven", SRGB.to_xyz_d50, (gamma_curve(1.8),) * 3)))
    steep = matrix_profile(RgbSpace("uneven", SRGB.to_xyz_d50, (gamma_curve(2.4),) * 3))
    at = len(profile)
    (count,) = np.frombuffer(profile, ">u4", 1, 128)
    for tag in range(count):
        entry = 132 + 12 * tag
        if bytes(profile[entry : entry + 4]) == b"bTRC":
            offset, length = np.frombuffer(steep, ">u4", 2, entry + 4)
            profile += steep[offset : offset + length]
            profile[entry + 4 : entry + 8] = at.to_bytes(4, "big")
    profile[:4] = len(profile).to_bytes(4, "big")
    return bytes(profile)


SCANS = {
    "grey": (1, None),
    "grey gamma 1.8": (1, grey_profile(gamma=1.8)),
    "grey and alpha": (2, None),
    "sRGB": (3, None),
    "Adobe RGB": (3, matrix_profile(ADOBE_RGB)),
    "ProPhoto": (3, matrix_profile(PROPHOTO)),
    "Adobe RGB and alpha": (4, matrix_profile(ADOBE_RGB)),
}


def scan_of(kind: str, dtype: type, folder: Path) -> tuple[Path, np.ndarray]:
    channels, icc = SCANS[kind]
    grey = grey_scan(dtype)
    top = np.iinfo(dtype).max
    toned = np.rint(np.stack([(grey / top) ** g for g in (0.9, 1, 1.1)], -1) * top).astype(dtype)
    pixels = toned if channels > 2 else grey[..., None]
    if channels in (2, 4):
        alpha = np.broadcast_to(np.linspace(0, top, 60).astype(dtype)[:, None, None], (60, 80, 1))
        pixels = np.concatenate([pixels, alpha], -1)
    tifffile.imwrite(
        folder / "scan.tif",
        pixels.squeeze(),
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        planarconfig="contig" if channels > 1 else None,
        iccprofile=icc,
        resolution=(600, 600),
        resolutionunit="INCH",
        metadata=None,
    )
    return folder / "scan.tif", pixels


def layer_samples(layer: object, dtype: type) -> np.ndarray:
    values = layer.numpy()  # type: ignore[attr-defined]
    return np.rint(values.astype(np.float64) * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", SCANS)
def test_layers_profile_and_merged_picture(run: Callable[..., int], tmp_path: Path, kind: str, dtype: type) -> None:
    scan, pixels = scan_of(kind, dtype, tmp_path)
    assert run(scan, "--as", "psd", "--doubt", tmp_path / "doubt.png") == 0
    data = (tmp_path / "scan.colour.psd").read_bytes()
    opened = PSDImage.open(io.BytesIO(data))
    has_alpha = pixels.shape[2] in (2, 4)
    names = [layer.name for layer in opened.descendants()]
    inner = ["Colour", "Touch-ups", "Where the model guesses"]
    assert names == ["Photograph", *([] if has_alpha else ["Colour (inferred)"]), *inner]
    base, colour = opened[0], next(layer for layer in opened.descendants() if layer.name == "Colour")

    # The photograph is as it was, with its own profile.
    grey = pixels.shape[2] <= 2
    expected = pixels[..., (0, 0, 0, 1)[: 4 if has_alpha else 3]] if grey else pixels
    np.testing.assert_array_equal(layer_samples(base, dtype), expected)
    icc = opened.image_resources.get_data(Resource.ICC_PROFILE)
    if SCANS[kind][1] is not None and not grey:
        assert icc == SCANS[kind][1]
    space = read_profile(icc)
    assert isinstance(space, RgbSpace)
    if kind == "grey gamma 1.8":
        np.testing.assert_allclose(space.curves[1].decode(np.array([0.5])), 0.5 ** (461 / 256), atol=1e-4)
    ImageCms.ImageCmsProfile(io.BytesIO(icc))  # LittleCMS reads it

    # What the layers show is the merged picture, by the rules of PDF's Color.
    shown, _, alpha = composite(opened, force=True)
    merged = opened.numpy()
    top = np.iinfo(dtype).max
    if has_alpha:
        np.testing.assert_allclose(merged[..., 3], expected[..., 3] / top, atol=0.5 / top)
        np.testing.assert_allclose(alpha[..., 0], expected[..., 3] / top, atol=1e-3)
    seen = expected[..., 3] > top / 8 if has_alpha else np.ones(expected.shape[:2], bool)
    share = expected[..., 3:] / top if has_alpha else 1  # what is seen on white is what is rounded
    difference = (np.abs(shown - merged[..., :3]) * share)[seen] * top
    assert difference.max() <= (max(2, top // 765) if has_alpha else 1)
    colours = layer_samples(colour, dtype)[..., :3] / top
    luma = np.abs(colours @ np.array(LUMA_WEIGHTS) - (expected[..., :3] / top) @ np.array(LUMA_WEIGHTS))[seen]
    assert luma.max() * 255 <= 1.5
    assert np.ptp(colours, axis=-1).mean() > 0.01, "there is no colour"


def test_the_composite_is_the_one_that_other_files_get(run: Callable[..., int], tmp_path: Path) -> None:
    """Colours are those of ``--as composite``; lightness moves a little, because Color keeps luma."""
    scan, _ = scan_of("grey", np.uint16, tmp_path)
    assert run(scan, "--as", "psd") == 0
    assert run(scan, "--host", "photoshop", "-o", tmp_path / "plain.tif") == 0
    shown, _, _ = composite(PSDImage.open(tmp_path / "scan.colour.psd"), force=True)
    plain = SRGB.lab_from_encoded(tifffile.imread(tmp_path / "plain.tif") / 65535)
    layered = SRGB.lab_from_encoded(shown.astype(np.float64))
    difference = np.abs(layered - plain)
    print(difference.mean(axis=(0, 1)), difference.max(axis=(0, 1)))
    assert difference[..., 1:].mean() <= 0.1
    assert difference[..., 0].mean() <= 2


def test_hints_doubt_and_record_are_in_the_file(run: Callable[..., int], tmp_path: Path) -> None:
    scan, _ = scan_of("Adobe RGB", np.uint8, tmp_path)
    hints = np.zeros((60, 80, 4), np.uint8)
    hints[10:30, 20:50] = (200, 60, 40, 255)
    Image.fromarray(hints).save(tmp_path / "hints.png")
    assert run(scan, "--as", "psd", "--hints", tmp_path / "hints.png", "--doubt", tmp_path / "doubt.png") == 0
    opened = PSDImage.open(tmp_path / "scan.colour.psd")
    by_name = {layer.name: layer for layer in opened.descendants()}
    strokes = by_name["Colour hints"]
    assert not strokes.visible
    drawn = layer_samples(strokes, np.uint8)
    np.testing.assert_array_equal(drawn[..., 3], hints[..., 3])
    adobe = ADOBE_RGB.lab_from_encoded(drawn[15, 25, :3] / 255)
    np.testing.assert_allclose(adobe, SRGB.lab_from_encoded(hints[15, 25, :3] / 255), atol=1.0)
    doubt = np.asarray(Image.open(tmp_path / "doubt.png"))
    overlay = layer_samples(by_name["Where the model guesses"], np.uint8)
    np.testing.assert_array_equal(overlay[..., 3], np.rint(doubt * 0.75))
    assert tuple(overlay[0, 0, :3]) == (255, 96, 0)

    embedded = read_embedded((tmp_path / "scan.colour.psd").read_bytes())
    assert embedded.xmp is not None
    packet = Packet.read(embedded.xmp)
    assert packet.text("Iptc4xmpExt:DigitalSourceType") == SOURCE_TYPE
    assert packet.text("dc:format") == "image/vnd.adobe.photoshop"
    (event,) = packet.items("xmpMM:History")
    assert event["parameters"].startswith(COMPOSITE_SENTENCE)
    assert "With painted hints." in event["parameters"]
    resolution = opened.image_resources.get_data(Resource.RESOLUTION_INFO)
    assert resolution.horizontal == 600 * 65536


def test_a_profile_with_uneven_curves_goes_to_srgb_and_says_so(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.repeat(grey_scan(np.uint8)[..., None], 3, -1)
    Image.fromarray(pixels).save(tmp_path / "scan.png", icc_profile=uneven_profile())
    assert run(tmp_path / "scan.png", "--as", "psd") == 0
    assert "another curve for each colour" in capsys.readouterr().err
    photograph = decode_picture((tmp_path / "scan.png").read_bytes())
    opened = PSDImage.open(tmp_path / "scan.colour.psd")
    assert opened.depth == 16
    lightness = SRGB.lab_from_encoded(layer_samples(opened[0], np.uint16)[..., :3] / 65535)[..., 0]
    np.testing.assert_allclose(lightness, photograph.lightness(0, 60), atol=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "x.psd"), "--as psd"),
        (("--as", "psd", "-o", "x.png"), "not a layered file"),
        (("--as", "psd", "--host", "gimp"), "made for all programs"),
        (("--as", "psd", "--blend", "multiply"), "made for all programs"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    scan, _ = scan_of("grey", np.uint8, tmp_path)
    assert run(scan, *(tmp_path / word if "." in word else word for word in words)) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["scan.tif"]


def test_a_large_picture_becomes_a_psb(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", (31_000, 16), 90).save(tmp_path / "wide.png")
    assert run(tmp_path / "wide.png", "--as", "psd") == 0
    assert "wide.colour.psb" in capsys.readouterr().out
    assert PSDImage.open(tmp_path / "wide.colour.psb").version == 2
    assert run(tmp_path / "wide.png", "--as", "psd") == 1, "it exists already"
