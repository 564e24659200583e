"""Build the generator that a configuration names."""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorize_training.config import ModelConfig
from colorize_training.efficientnet import load_imagenet_weights
from colorize_training.errors import ConfigError
from colorize_training.unet256 import UNet256
from colorize_training.unet_efficientnet import UNetEfficientNet

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
        generator = UNetEfficientNet(config.encoder)
        if config.pretrained if pretrained is None else pretrained:
            load_imagenet_weights(generator.encoder)
        return fold_batch_norms(generator) if config.folded_batch_norm else generator
    raise ConfigError(f"There is no network {config.network!r}.", "Use unet-efficientnet or unet256.")


def in_channels_last(network: nn.Module) -> nn.Module:
    """Store the network's 4-D weights channels last (in place), which CPU and GPU convolutions prefer."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def freeze_batch_norm(network: nn.Module) -> None:
    """Make batch normalisation use its running statistics although the network is in training mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def fold_batch_norms(network: _Network) -> _Network:
    """Return a copy, in evaluation mode, in which every batch normalisation after a convolution is part of it."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            layers = list(module)
            for index in range(len(layers) - 1):
                conv, norm = layers[index], layers[index + 1]
                inner = getattr(conv, "conv", conv)  # the depthwise wrapper holds its convolution so
                if isinstance(inner, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    fused = fuse_conv_bn_eval(inner, norm)
                    if inner is conv:
                        module[index] = fused
                    else:
                        conv.conv = fused
                    module[index + 1] = nn.Identity()
    return network
