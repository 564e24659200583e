"""Plain backdrops behind sitters: found along the outline, made grey, and nothing else touched."""

import numpy as np
import pytest
import torch
from colorize_training import color
from colorize_training.config import TrainConfig, config_from_dict
from colorize_training.errors import ConfigError
from colorize_training.samples.sitters import find_plain_backdrop, with_grey_backdrop
from PIL import Image, ImageDraw

_BLUE, _BEIGE, _SKIN, _COAT = (90, 140, 210), (205, 170, 130), (215, 160, 130), (120, 40, 45)


def _portrait(backdrop=_BLUE, size=(192, 256)):
    """Head and shoulders before a backdrop that darkens to the right; the picture and the sitter's mask."""
    width, height = size
    light = np.linspace(1.0, 0.85, width)[None, :, None]
    wall = np.broadcast_to(np.array(backdrop) * light, (height, width, 3)).round().astype(np.uint8)
    image, mask = Image.fromarray(wall.copy()), Image.new("L", size, 0)
    for picture, head, coat in ((image, _SKIN, _COAT), (mask, 255, 255)):
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0.15 * width, 0.62 * height, 0.85 * width, height), fill=coat)
        draw.ellipse((0.28 * width, 0.15 * height, 0.72 * width, 0.68 * height), fill=head)
    return np.array(image), np.array(mask) > 0


def _lab(rgb):
    return color.lab_from_linear(color.linear_from_srgb8(torch.from_numpy(rgb).permute(2, 0, 1)))


def _chroma(rgb):
    return _lab(rgb)[1:].norm(dim=0).numpy()


def test_the_backdrop_is_found_along_the_outline():
    rgb, sitter = _portrait()
    found = find_plain_backdrop(_lab(rgb))
    assert found is not None
    cover = found.numpy() > 0.5
    assert (cover & ~sitter).sum() / (cover | ~sitter).sum() > 0.98


@pytest.mark.parametrize("seed", range(6))
def test_a_cool_backdrop_turns_grey_and_the_sitter_stays(seed):
    rgb, sitter = _portrait()
    changed = with_grey_backdrop(rgb, np.random.default_rng(seed))
    assert np.median(_chroma(changed)[~sitter]) < 1
    assert (changed[sitter] == rgb[sitter]).mean() > 0.99


def test_some_backdrops_keep_their_light_and_some_become_another_canvas():
    rgb, sitter = _portrait()
    lightness = _lab(rgb)[0].numpy()[~sitter]
    moved = [
        np.abs(_lab(with_grey_backdrop(rgb, np.random.default_rng(seed)))[0].numpy()[~sitter] - lightness).mean()
        for seed in range(12)
    ]
    assert min(moved) < 1 < 5 < max(moved)


def test_canvases_are_plain_or_as_rough_as_foliage():
    rgb, _ = _portrait(backdrop=(128, 128, 132))
    strips = [_lab(with_grey_backdrop(rgb, np.random.default_rng(seed)))[0, :24].numpy() for seed in range(24)]
    roughness = [np.abs(np.diff(strip, axis=1)).mean() for strip in strips]
    assert min(roughness) < 0.1 < 1 < max(roughness)


def test_pale_skin_before_a_white_wall_keeps_its_colour(monkeypatch):
    monkeypatch.setitem(_portrait.__globals__, "_SKIN", (238, 216, 204))  # within the tolerance of the wall
    rgb, sitter = _portrait(backdrop=(236, 236, 240))
    head = sitter.copy()
    head[rgb.shape[0] * 6 // 10 :] = False
    for seed in range(4):
        changed = with_grey_backdrop(rgb, np.random.default_rng(seed))
        assert changed is not rgb
        assert (changed[head] == rgb[head]).mean() > 0.99


def test_a_warm_backdrop_is_left_alone():
    rgb, _ = _portrait(backdrop=_BEIGE)
    assert with_grey_backdrop(rgb, np.random.default_rng(0)) is rgb


def test_a_picture_without_a_sitter_is_left_alone():
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (128, 160, 3), dtype=np.uint8)
    sky = np.full((128, 160, 3), _BLUE, dtype=np.uint8)
    sky[90:] = (60, 120, 40)  # a meadow from side to side, nobody in it
    for rgb in (noise, sky, np.full((128, 160, 3), _BLUE, dtype=np.uint8)):
        assert with_grey_backdrop(rgb, rng) is rgb


def test_the_share_is_checked():
    assert TrainConfig().data.grey_backdrop == 0
    with pytest.raises(ConfigError, match="grey_backdrop"):
        config_from_dict({"data": {"grey_backdrop": 1.5}}, "own.toml")
