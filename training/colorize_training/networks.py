"""Build the generator that a configuration names."""

from torch import nn

from colorize_training.config import ModelConfig
from colorize_training.efficientnet import load_imagenet_weights
from colorize_training.errors import ConfigError
from colorize_training.unet256 import UNet256
from colorize_training.unet_efficientnet import UNetEfficientNet

Generator = UNet256 | UNetEfficientNet


def build_generator(config: ModelConfig, pretrained: bool | None = None) -> Generator:
    """Build a generator.

    Args:
        config: network and its options.
        pretrained: overrides ``config.pretrained``; loading a checkpoint needs no ImageNet weights first.
    """
    if config.network == "unet256":
        return UNet256(config.upsampling, config.dropout)
    if config.network == "unet-efficientnet":
        generator = UNetEfficientNet(config.encoder)
        if config.pretrained if pretrained is None else pretrained:
            load_imagenet_weights(generator.encoder)
        return generator
    raise ConfigError(f"There is no network {config.network!r}.", "Use unet-efficientnet or unet256.")


def freeze_batch_norm(network: nn.Module) -> None:
    """Make batch normalisation use its running statistics although the network is in training mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
