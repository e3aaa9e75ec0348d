"""MobileNeXt with squeeze-and-excitation, in the EfficientNet style.

Symbols: k kernel of the depthwise convolutions; t reduction ratio; M, N and h input, output and
bottleneck channels of one block.

Source: MobileNeXt (arXiv:2007.02269), Table 6, and the authors' code for its two dagger rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from nas.errors import ConfigError, shown
from nas.layers import DepthwiseConv2d, SameConv2d, drop_path
from nas.models.features import FeatureNetwork, make_classifier
from nas.models.mobilenext_table import STEM_CHANNELS, round_channels
from nas.models.settings import check_count, check_probability

STAGES = (
    # t, c, n, s, k
    (2, 96, 1, 1, 3),
    (6, 144, 1, 2, 3),
    (6, 192, 3, 2, 5),
    (6, 288, 3, 2, 3),
    (6, 384, 4, 1, 5),
    (6, 576, 4, 2, 5),
    (6, 960, 3, 1, 3),
    (6, 1280, 1, 1, 3),
)
"""The stages at depth 1.0, in the order of the network."""

DEPTHS = {"1.0": 1, "1.1": 2}
"""Depth coefficient and the groups of the pointwise convolutions that came with it."""

SE_RATIO = 0.25
NORM_EPS = 1e-3
NORM_MOMENTUM = 0.01


@dataclass(frozen=True)
class SEBlockSpec:
    """What is needed to build one block."""

    in_channels: int
    """M."""
    hidden_channels: int
    """h."""
    out_channels: int
    """N."""
    squeeze_channels: int
    """Of the bottleneck in squeeze-and-excitation."""
    kernel_size: int
    """Of the depthwise convolutions: 3 or 5."""
    stride: int
    """1 or 2."""
    groups: int
    """Of the pointwise convolutions."""
    is_transition: bool
    """Whether the depthwise convolution on the M wide channels is left out."""
    has_shortcut: bool
    """Whether x is added, with drop path on what it is added to."""


class SESandglass(nn.Module):
    """A sandglass with squeeze-and-excitation last on its residual branch.

    dw k + BN + SiLU | pw M -> h + BN | pw h -> N + BN + SiLU | dw k stride s + BN | squeeze and
    excite | drop path | + x. (N, M, H, W) -> (N, N, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, spec: SEBlockSpec):
        super().__init__()
        self.conv = nn.Sequential(
            *_depthwise(spec.in_channels, spec.kernel_size),
            nn.SiLU(),
            *_pointwise(spec.in_channels, spec.hidden_channels, spec.groups),
            *_pointwise(spec.hidden_channels, spec.out_channels, spec.groups),
            nn.SiLU(),
            *_depthwise(spec.out_channels, spec.kernel_size, spec.stride),
            SqueezeExcitation(spec.out_channels, spec.squeeze_channels, activation=nn.SiLU),
        )
        self.has_shortcut = spec.has_shortcut
        self.drop_prob = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        residual = self.conv(x)
        if not self.has_shortcut:
            return residual
        if self.training:
            residual = drop_path(residual, self.drop_prob)
        return residual + x


class SETransition(nn.Module):
    """The first block of a stage, without the first depthwise convolution.

    pw M -> h + BN | pw h -> N + BN + SiLU | at stride 2: dw k stride 2 + BN | squeeze and excite.
    """

    def __init__(self, spec: SEBlockSpec):
        super().__init__()
        self.conv = nn.Sequential(
            *_pointwise(spec.in_channels, spec.hidden_channels),
            *_pointwise(spec.hidden_channels, spec.out_channels),
            nn.SiLU(),
        )
        if spec.stride == 2:
            self.conv.extend(_depthwise(spec.out_channels, spec.kernel_size, 2))
        self.conv.append(
            SqueezeExcitation(spec.out_channels, spec.squeeze_channels, activation=nn.SiLU)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return self.conv(x)


class MobileNeXtSE(FeatureNetwork):
    """The network of the dagger rows of Table 6; drop path grows linearly with depth."""

    def __init__(
        self,
        depth: str,
        *,
        in_channels: int = 3,
        num_classes: int = 1000,
        dropout: float = 0.2,
        drop_path_prob: float = 0.2,
    ):
        """Build the network; `mobilenext_se` describes and checks the settings."""
        super().__init__()
        specs = list(se_blocks(depth))
        stem = nn.Sequential(
            SameConv2d(in_channels, STEM_CHANNELS, 3, 2), _norm(STEM_CHANNELS), nn.SiLU()
        )
        self.features = nn.Sequential(stem, *(_block(spec) for spec in specs))
        self._set_resolutions(
            [(2, STEM_CHANNELS), *((spec.stride, spec.out_channels) for spec in specs)]
        )
        self.classifier = make_classifier(self.num_features, num_classes, dropout)
        self.drop_path_prob = drop_path_prob

    @property
    def drop_path_prob(self) -> float:
        """Drop path of the last block, were it one with a shortcut; in [0, 1)."""
        return self._drop_path_prob

    @drop_path_prob.setter
    def drop_path_prob(self, value: float) -> None:
        self._drop_path_prob = value
        blocks = self.features[1:]
        for index, block in enumerate(blocks):
            # p_i = p * i / n, counted from 0
            block.drop_prob = value * index / len(blocks)


def mobilenext_se(
    depth: str | float = "1.0",
    num_classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.2,
    drop_path_prob: float = 0.2,
) -> MobileNeXtSE:
    """Build a model of Table 6: "1.0" has 3.94 M parameters and 330 M, "1.1" 4.28 M and 420 M.

    "1.1" is a factor on the number of blocks of each stage, and comes with pointwise convolutions
    in two groups; the widths are those of 1.0.

    The weights are drawn as torch does, BatchNorms have eps 1e-3 and momentum 0.01, and strided
    convolutions are padded as TensorFlow does, all as in the authors' code.

    Deviation: the released code holds a BatchNorm of 1280 channels that it never applies. Ours has
    none, so that it counts 2,560 parameters less than the paper (3,934,451 and 4,284,938).

    Args:
        depth: "1.0" or "1.1".
        num_classes: Of the data set.
        in_channels: Of the images.
        dropout: Before the classifier, in [0, 1).
        drop_path_prob: In [0, 1); block i of n drops its residual branch with probability
            `drop_path_prob` * i / n where it has a shortcut. It can be set later as an attribute.

    Raises:
        ConfigError: A setting is unknown or out of range.

    Source: MobileNeXt (arXiv:2007.02269), Table 6; the authors' code.
    """
    if str(depth) not in DEPTHS:
        raise ConfigError(
            f"depth: {shown(depth)} is unknown; mobilenext_se has {' and '.join(DEPTHS)}"
        )
    check_count("num_classes", num_classes)
    check_count("in_channels", in_channels)
    check_probability("dropout", dropout)
    check_probability("drop_path_prob", drop_path_prob)
    return MobileNeXtSE(
        str(depth),
        in_channels=in_channels,
        num_classes=num_classes,
        dropout=dropout,
        drop_path_prob=drop_path_prob,
    )


def se_blocks(depth: str) -> Iterator[SEBlockSpec]:
    """Yield the blocks: 20 at depth "1.0", 28 at "1.1".

    h = M // t made even; the squeeze has int(N / t * 0.25) channels. Shortcuts are where M = N,
    except in the stage with t = 2.
    """
    in_channels = STEM_CHANNELS
    for ratio, out_channels, num_blocks, first_stride, kernel_size in STAGES:
        for index in range(math.ceil(num_blocks * float(depth))):
            widens = in_channels != out_channels
            yield SEBlockSpec(
                in_channels=in_channels,
                hidden_channels=round_channels(in_channels // ratio, 2),
                out_channels=out_channels,
                squeeze_channels=int(out_channels / ratio * SE_RATIO),
                kernel_size=kernel_size,
                stride=first_stride if index == 0 else 1,
                groups=1 if widens and ratio != 2 else DEPTHS[depth],
                is_transition=widens and ratio != 2,
                has_shortcut=not widens and ratio != 2,
            )
            in_channels = out_channels


def _block(spec: SEBlockSpec) -> nn.Module:
    return SETransition(spec) if spec.is_transition else SESandglass(spec)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=NORM_MOMENTUM)


def _pointwise(in_channels: int, out_channels: int, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 1, groups=groups, bias=False)
    return [conv, _norm(out_channels)]


def _depthwise(channels: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    if stride == 1:
        conv = DepthwiseConv2d(channels, kernel_size)  # SAME is even padding at stride 1
    else:
        conv = SameConv2d(channels, channels, kernel_size, stride, groups=channels)
    return [conv, _norm(channels)]
