"""Build the generator that a configuration names."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorize_training.config import ModelConfig
from colorize_training.errors import ConfigError
from colorize_training.networks.efficientnet import load_imagenet_weights
from colorize_training.networks.unet256 import UNet256
from colorize_training.networks.unet_efficientnet import UNetEfficientNet

Generator = UNet256 | UNetEfficientNet
_Network = TypeVar("_Network", bound=nn.Module)


def build_generator(config: ModelConfig, pretrained: bool | None = None) -> Generator:
    """Build a generator.

    Args:
        config: network and its options.
        pretrained: overrides ``config.pretrained``; loading a checkpoint needs no ImageNet weights first.
    """
    generator: Generator
    if config.network == "unet256":
        generator = UNet256(config.upsampling, config.dropout)
        return fold_batch_norms(generator) if config.folded_batch_norm else generator
    if config.network == "unet-efficientnet":
        generator = UNetEfficientNet(config.encoder, config.distribution)
        if config.pretrained if pretrained is None else pretrained:
            load_imagenet_weights(generator.encoder)
        return fold_batch_norms(generator) if config.folded_batch_norm else generator
    raise ConfigError(f"There is no network {config.network!r}.", "Use unet-efficientnet or unet256.")


def in_channels_last(network: nn.Module) -> nn.Module:
    """Store the network's 4-D weights channels last (in place), which CPU and GPU convolutions prefer."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def freeze_encoder_start(network: nn.Module, stages: int) -> None:
    """Keep the encoder's stem and first stages as they are: weights get no gradient, statistics are not renewed.

    The finest feature maps cost the most, and what they hold (edges, textures) was learned before.
    """
    if not isinstance(network, UNetEfficientNet) or stages == 0:
        return
    for module in (network.encoder.stem, *network.encoder.stages[:stages]):
        module.requires_grad_(False)
        freeze_batch_norm(module)


def freeze_batch_norm(network: nn.Module) -> None:
    """Make batch normalisation use its running statistics although the network is in training mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


@dataclass(frozen=True)
class _NormalisedConvolution:
    """A convolution and the batch normalisation that directly follows it.

    Attributes:
        name: of the convolution in the network.
        owner: module that the convolution is an attribute of, under ``key``.
        sequence: that the normalisation is in, at ``place``.
    """

    name: str
    owner: nn.Module
    key: str
    conv: nn.Conv2d | nn.ConvTranspose2d
    sequence: nn.Sequential
    place: int
    norm: nn.BatchNorm2d

    @property
    def weight_by_output(self) -> Tensor:
        """View of the weights as (output channels, ...)."""
        weight = self.conv.weight
        return weight.transpose(0, 1) if isinstance(self.conv, nn.ConvTranspose2d) else weight


def _last_convolution(layer: nn.Module, name: str) -> tuple[str, nn.Module, str] | None:
    """Return name, owner and key of the convolution that ends a layer made of several modules, if one does."""
    if isinstance(layer, nn.Sequential):  # enlargement, then convolution
        key = str(len(layer) - 1)
    elif hasattr(layer, "conv"):  # padding, then depthwise convolution
        key = "conv"
    else:
        return None
    return f"{name}.{key}", layer, key


def _normalised_convolutions(network: nn.Module) -> Iterator[_NormalisedConvolution]:
    for prefix, sequence in network.named_modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for index, (layer, norm) in enumerate(pairwise(sequence)):
            name = f"{prefix}.{index}"
            name, owner, key = _last_convolution(layer, name) or (name, sequence, str(index))
            conv = getattr(owner, key)
            if isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                yield _NormalisedConvolution(name, owner, key, conv, sequence, index + 1, norm)


def fold_batch_norms(network: _Network) -> _Network:
    """Return a copy, in evaluation mode, in which every batch normalisation after a convolution is part of it."""
    network = copy.deepcopy(network).eval()
    for found in list(_normalised_convolutions(network)):
        is_transposed = isinstance(found.conv, nn.ConvTranspose2d)
        fused = fuse_conv_bn_eval(found.conv, found.norm, transpose=is_transposed)
        setattr(found.owner, found.key, fused)
        found.sequence[found.place] = nn.Identity()
    return network


@torch.no_grad()
def load_unfolded(network: nn.Module, folded: dict[str, Tensor], luminance: Tensor, hints: Tensor) -> list[str]:
    """Load weights without batch normalisation into a network that has it, and leave its function as it was.

    Each convolution's weights get back the size that the network's own had, output channel by output channel; the
    statistics are measured on one batch, and scale and shift undo what they do.  So a run can go on from an exported
    model with live normalisation, which bears a larger learning rate than the folded network.

    Args:
        network: with its initial weights; changed in place.
        folded: weights by the names of :func:`fold_batch_norms`; those whose shape differs are left out.
        luminance: (N, 1, H, W) a batch as it is met in training.
        hints: (N, 3, H, W).

    Returns:
        The names that the network has and that keep their initial weights.
    """
    state = network.state_dict()
    fresh = [k for k in state if k not in folded or folded[k].shape != state[k].shape]
    fit = [found for found in _normalised_convolutions(network) if f"{found.name}.weight" not in fresh]
    sizes = {found.name: found.weight_by_output.flatten(1).norm(dim=1) for found in fit}
    network.load_state_dict({k: v for k, v in folded.items() if k in state and k not in fresh}, strict=False)
    hooks = []
    for found in fit:
        weight = found.weight_by_output
        size = weight.flatten(1).norm(dim=1)
        scale = torch.where(size > 0, sizes[found.name] / size.clamp_min(1e-12), torch.ones_like(size))
        weight.mul_(scale[:, None, None, None])
        if found.conv.bias is not None:  # which the normalisation has instead
            found.conv.bias.zero_()
        identity = _identity_with_statistics(scale, folded[f"{found.name}.bias"])
        hooks.append(found.norm.register_forward_pre_hook(identity))
    was_training = network.training
    network.eval()
    network(luminance, hints)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    set_here = {found.norm for found in fit}
    prefixes = tuple(f"{name}." for name, module in network.named_modules() if module in set_here)
    return [k for k in fresh if not k.startswith(prefixes)]


def _identity_with_statistics(scale: Tensor, bias: Tensor) -> Callable[[nn.Module, tuple[Tensor]], None]:
    """Return a hook that sets a normalisation from its input so that it gives input / scale + bias."""

    def measure(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)  # noqa: S101  (narrows the type; hooked on no other)
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3))
        assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101, PT018  (narrows the types)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt() / scale)
        norm.bias.copy_(mean / scale + bias)

    return measure
