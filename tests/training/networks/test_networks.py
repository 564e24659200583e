"""Networks: the model contract, the hint path, the stopped gradient of the doubt, pretrained weights."""

import copy

import numpy as np
import pytest
import torch
from colorize_training.config import ModelConfig
from colorize_training.models.predictor import TorchPredictor, predict_padded
from colorize_training.networks import unet256
from colorize_training.networks.efficientnet import EfficientNetLite, load_imagenet_weights
from colorize_training.networks.generator import (
    build_generator,
    fold_batch_norms,
    freeze_encoder_start,
    load_unfolded,
)
from colorize_training.networks.patchgan import PatchGAN
from colorize_training.networks.unet_efficientnet import HintAttention, UNetEfficientNet, hint_pyramid
from torch.nn import functional


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return UNetEfficientNet("lite0").eval()


def _inputs(height=64, width=96, batch=1, with_hints=False):
    rng = np.random.default_rng(0)
    luminance = torch.from_numpy(rng.uniform(-1, 1, (batch, 1, height, width)).astype(np.float32))
    hints = torch.zeros(batch, 3, height, width)
    if with_hints:
        hints[:, 0, 8:11, 8:11] = 0.5
        hints[:, 2, 8:11, 8:11] = 1.0
    return luminance, hints


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(encoder="lite0", pretrained=False),
        ModelConfig(encoder="lite2", pretrained=False),
        ModelConfig(network="unet256", upsampling="transposed"),
        ModelConfig(network="unet256", upsampling="resize", dropout=True),
    ],
    ids=["lite0", "lite2", "paper", "resize"],
)
def test_generators_keep_the_contract(config):
    generator = build_generator(config).eval()
    side = generator.multiple_of
    luminance, hints = _inputs(side, 2 * side, batch=2)
    with torch.inference_mode():
        chroma, doubt = generator(luminance, hints)
    assert chroma.shape == (2, 2, side, 2 * side)
    assert doubt.shape == (2, 1, side, 2 * side)
    assert chroma.dtype == doubt.dtype == torch.float32
    assert doubt.min() >= 0


@torch.inference_mode()
def test_hints_reach_far_and_their_absence_is_exactly_nothing(generator):
    luminance, none = _inputs(128, 128)
    _, hints = _inputs(128, 128, with_hints=True)
    plain, _ = generator(luminance, none)
    hinted, _ = generator(luminance, hints)
    change = (hinted - plain).abs().sum(dim=1)[0]
    assert change[8:11, 8:11].max() > 1e-4
    assert change[100:, 100:].max() > 0  # attention reaches the far corner
    pooled = hint_pyramid(none)[16]
    features = torch.randn(1, 256, 8, 8)
    assert generator.attention(features, pooled).abs().max() == 0
    assert generator.hint_encoders[0](hint_pyramid(none)[32]).abs().max() == 0


def test_pooled_hints_are_coverage_weighted_means():
    hints = torch.zeros(1, 3, 32, 32)
    hints[0, :, 0, 0] = torch.tensor([0.4, -0.2, 1.0])
    hints[0, :, 5, 5] = torch.tensor([0.0, 0.4, 0.5])
    pooled = hint_pyramid(hints)[32][0, :, 0, 0]
    assert pooled[0] == pytest.approx(0.4 / 1.5, rel=1e-3)
    assert pooled[1] == pytest.approx((-0.2 + 0.2) / 1.5, abs=1e-3)
    assert pooled[2] == 1.0
    assert pooled[3] == pytest.approx(1.5 / 1024)


def test_each_level_of_the_hint_pyramid_is_what_one_window_of_its_stride_gives():
    torch.manual_seed(4)
    hints = torch.rand(2, 3, 64, 96) * (torch.rand(2, 1, 64, 96) < 0.05)
    for stride, pooled in hint_pyramid(hints).items():
        coverage = functional.avg_pool2d(hints[:, 2:], stride)
        mean = functional.avg_pool2d(hints[:, :2] * hints[:, 2:], stride) / (coverage + 1e-4 / stride**2)
        torch.testing.assert_close(pooled[:, :2], mean)
        assert torch.equal(pooled[:, 2:3], functional.max_pool2d(hints[:, 2:], stride))
        torch.testing.assert_close(pooled[:, 3:], coverage)


@torch.inference_mode()
def test_attention_takes_the_colour_of_the_likeliest_cell(generator):
    """Cells of two kinds, a hint on one cell of each: every cell gets the colour of its own kind."""
    attention = copy.deepcopy(generator.attention)
    for layer in (attention.query, attention.key):  # a query is the kind of its cell, and so is a key
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0, 0] = layer.weight[1, 1] = 8.0
    attention.log_falloff.fill_(-20.0)  # kind alone counts, distance does not
    attention.out.weight.zero_()
    attention.out.weight[0, 0] = attention.out.weight[1, 1] = 1.0  # shows the colour that arrives
    kinds = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0]])
    features = torch.zeros(1, 256, 4, 4)
    features[0, :2] = functional.one_hot(kinds, 2).permute(2, 0, 1).float()
    colours = torch.tensor([[0.3, 0.1], [0.1, 0.4]])
    pooled = torch.zeros(1, 4, 4, 4)
    for kind, (y, x) in ((0, (0, 0)), (1, (3, 2))):
        pooled[0, :, y, x] = torch.tensor([*colours[kind], 1.0, 1.0])
    arrived = attention(features, pooled)[0, :2]
    torch.testing.assert_close(arrived, 2 * colours[kinds].permute(2, 0, 1), atol=1e-3, rtol=0)
    pooled[0, 2:] *= 1e-9
    assert attention(features, pooled).abs().max() < 1e-3  # hints that hardly cover anything are none


def test_the_doubt_pulls_on_nothing_but_its_own_head():
    generator = UNetEfficientNet("lite0").train()
    luminance, hints = _inputs(batch=2, with_hints=True)
    _, doubt = generator(luminance, hints)
    doubt.sum().backward()
    touched = {name for name, p in generator.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert touched
    assert all(name.startswith("doubt_head.") for name in touched)


def test_folding_batch_norms_changes_nothing(generator):
    luminance, hints = _inputs(with_hints=True)
    for module in generator.modules():  # statistics that are not the trivial ones
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    folded = fold_batch_norms(generator)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    with torch.inference_mode():
        for one, other in zip(generator(luminance, hints), folded(luminance, hints), strict=True):
            assert (one - other).abs().max() < 1e-4


def _folded_weights(seed):
    """A network with statistics and scales that are not the trivial ones, folded, and its weights."""
    torch.manual_seed(seed)
    network = UNetEfficientNet("lite0").eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    folded = fold_batch_norms(network)
    return folded, {k: v.clone() for k, v in folded.state_dict().items()}


def test_unfolding_keeps_the_function_and_gives_the_weights_their_own_size_back():
    folded, weights = _folded_weights(1)
    torch.manual_seed(2)
    network = UNetEfficientNet("lite0")
    sizes = {k: v.flatten(1).norm(dim=1) for k, v in network.state_dict().items() if v.ndim == 4 and "blocks" in k}
    luminance, hints = _inputs(64, 64, batch=2, with_hints=True)
    assert load_unfolded(network, weights, luminance, hints) == []
    assert network.training
    for name, size in sizes.items():
        torch.testing.assert_close(network.state_dict()[name].flatten(1).norm(dim=1), size)
    other = torch.rand_like(luminance)  # any input, not just the one that the statistics are of
    with torch.inference_mode():
        for one, two in zip(network.eval()(other, hints), folded(other, hints), strict=True):
            assert (one - two).abs().max() < 1e-4
        # On the batch that the statistics are of, live normalisation gives the same.
        live, _ = network.train()(luminance, hints)
        assert (live - folded(luminance, hints)[0]).abs().max() < 1e-3


@pytest.mark.parametrize("upsampling", ["resize", "transposed"])
def test_the_papers_network_is_folded_and_unfolded_too(upsampling, monkeypatch):
    """Its decoder enlarges in the convolution or before it, has a bias there, and normalises after."""
    monkeypatch.setattr(unet256, "_CHANNELS", (8,) * 8)
    torch.manual_seed(0)
    network = unet256.UNet256(upsampling, dropout=True).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    luminance, hints = _inputs(256, 256, batch=2, with_hints=True)
    folded = fold_batch_norms(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    other = unet256.UNet256(upsampling, dropout=True)
    assert load_unfolded(other, dict(folded.state_dict()), luminance, hints) == []
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in other.modules())
    with torch.inference_mode():
        expected = network(luminance, hints)
        for found in (folded, other.eval()):
            for one, two in zip(found(luminance, hints), expected, strict=True):
                assert (one - two).abs().max() < 1e-4


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_hints_spread_in_half_precision_too(precision):
    """The attention's weights reach exp(30), which float16 does not hold: it computes in float32."""
    torch.manual_seed(0)
    attention = HintAttention(16).eval()
    torch.nn.init.constant_(attention.query.bias, 10.0)
    torch.nn.init.constant_(attention.key.bias, 10.0)
    features, pooled = torch.rand(1, 16, 4, 4), torch.rand(1, 4, 4, 4)
    with torch.inference_mode():
        expected = attention(features, pooled)
        with torch.autocast("cpu", precision):
            found = attention(features.to(precision), pooled)
    assert found.dtype == precision
    assert expected.abs().max() > 0.01
    assert (found.float() - expected).abs().max() < 0.02


def test_unfolding_names_the_layers_that_do_not_fit_and_leaves_them_as_they_were():
    _, weights = _folded_weights(1)
    weights["chroma_head.weight"] = torch.zeros(2, 99, 3, 3)
    network = UNetEfficientNet("lite0")
    before = network.chroma_head.weight.detach().clone()
    assert load_unfolded(network, weights, *_inputs(64, 64)) == ["chroma_head.weight"]
    assert torch.equal(network.chroma_head.weight, before)


def test_a_frozen_start_of_the_encoder_gets_no_gradient_and_keeps_its_statistics():
    network = UNetEfficientNet("lite0").train()
    freeze_encoder_start(network, 2)
    statistics = network.encoder.stages[1][0].layers[1].running_mean.clone()
    chroma, _ = network(*_inputs(64, 64, batch=2))
    chroma.square().sum().backward()
    frozen = {name for name, p in network.named_parameters() if p.grad is None and "doubt" not in name}
    prefixes = ("encoder.stem.", "encoder.stages.0.", "encoder.stages.1.")
    assert all(name.startswith(prefixes) for name in frozen)
    assert sum(name.startswith(prefixes) for name, _ in network.named_parameters()) == len(frozen) > 0
    assert torch.equal(network.encoder.stages[1][0].layers[1].running_mean, statistics)
    assert not torch.equal(network.encoder.stages[2][0].layers[1].running_mean, torch.zeros(144))


def _textures(rng, side=96):
    """Eight kinds of texture at a random scale, place, contrast and tone; (8, 1, side, side)."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) * 2 * np.pi / rng.uniform(6, 9)
    phase, other = rng.uniform(0, 2 * np.pi, 2)
    rings = np.hypot(x - rng.uniform(0.3, 0.7) * x.max(), y - rng.uniform(0.3, 0.7) * y.max())
    dots = np.sin(x + phase) * np.sin(y + other)
    noise, coarse = rng.normal(0, 0.5, (side, side)), rng.normal(0, 0.5, (side // 8, side // 8))
    kinds = [np.sin(x + phase), np.sin(y + phase), np.sin((x + y) / 2**0.5 + phase), dots, np.sign(dots), np.sin(rings)]
    kinds += [noise.clip(-1, 1), np.kron(coarse, np.ones((8, 8))).clip(-1, 1)]
    shown = [rng.uniform(0.4, 0.8) * kind + rng.uniform(-0.15, 0.15) for kind in kinds]
    return torch.from_numpy(np.array(shown, np.float32))[:, None]


def _told_apart(encoder):
    """Return the share of textures whose nearest neighbour in the coarsest features is of their own kind."""
    rng = np.random.default_rng(0)
    pictures = torch.cat([_textures(rng) for _ in range(4)])
    kinds = torch.arange(8).repeat(4)
    features = encoder(pictures)[-1].mean(dim=(2, 3)).reshape(4, 8, -1)
    features = functional.normalize(features - features.mean(dim=(0, 1)), dim=-1).flatten(0, 1)
    alike = (features @ features.T).fill_diagonal_(-2)
    return float((kinds[alike.argmax(dim=1)] == kinds).float().mean())


@torch.inference_mode()
def test_published_weights_fill_the_whole_encoder_and_tell_textures_apart():
    encoder = EfficientNetLite("lite0").eval()
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    untrained = _told_apart(encoder)
    load_imagenet_weights(encoder)
    unchanged = [k for k, v in encoder.state_dict().items() if torch.equal(v, before[k]) and "num_batches" not in k]
    assert unchanged == []
    # Weights, scales or statistics in the wrong places reach 0.8 at most.
    assert _told_apart(encoder) == 1.0 > untrained + 0.2
    luminance, _ = _inputs(64, 64, batch=2)
    features = encoder(luminance)
    assert [f.shape[1] for f in features] == list(encoder.channels)
    assert [64 // f.shape[2] for f in features] == [2, 4, 8, 16, 32]


@torch.inference_mode()
def test_any_size_is_padded_and_cut_back(generator):
    predictor = TorchPredictor(generator, generator.multiple_of)
    for height, width in ((33, 70), (64, 96), (20, 9)):
        chroma, doubt = predict_padded(predictor, torch.zeros(1, 1, height, width), torch.zeros(1, 3, height, width))
        assert chroma.shape[-2:] == doubt.shape[-2:] == (height, width)


def test_a_patch_of_the_discriminator_sees_70_pixels():
    discriminator = PatchGAN().eval()
    for index, layer in enumerate(discriminator.layers):
        if isinstance(layer, torch.nn.InstanceNorm2d):  # its statistics are of the whole picture
            discriminator.layers[index] = torch.nn.Identity()
    luminance = torch.zeros(1, 1, 256, 256)
    chroma = torch.zeros(1, 2, 256, 256, requires_grad=True)
    logits = discriminator(luminance, chroma)
    assert logits.shape == (1, 1, 30, 30)  # Isola et al. 2017: 30x30 patches of 70x70 px for a 256 px picture
    logits[0, 0, 15, 15].backward()
    rows = torch.where(chroma.grad.abs().sum(dim=(0, 1, 3)) > 0)[0]
    assert int(rows.max() - rows.min()) + 1 == 70


@torch.inference_mode()
def test_the_verdict_on_a_picture_does_not_hang_on_its_company():
    torch.manual_seed(5)
    discriminator = PatchGAN().train()
    luminance, chroma = torch.rand(3, 1, 64, 64), torch.rand(3, 2, 64, 64) - 0.5
    together, alone = discriminator(luminance, chroma), discriminator(luminance[:1], chroma[:1])
    torch.testing.assert_close(together[:1], alone)
