"""The stages and blocks of MobileNeXt with squeeze-and-excitation.

Symbols: k kernel of the depthwise convolutions; t reduction ratio; c output channels, n blocks and
s stride of the first block of a stage; M, N and h input, output and bottleneck channels of one
block.

Source: MobileNeXt (arXiv:2007.02269), Table 6, and the authors' code for its two dagger rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from nas.layers import DepthwiseConv2d, SameConv2d, drop_path
from nas.models.mobilenext_table import STEM_CHANNELS
from nas.space.channels import round_channels

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


def se_block(spec: SEBlockSpec) -> nn.Module:
    """Build the block of a spec."""
    return SETransition(spec) if spec.is_transition else SESandglass(spec)


def se_norm(channels: int) -> nn.BatchNorm2d:
    """Build a BatchNorm with EfficientNet's settings."""
    return nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=NORM_MOMENTUM)


def _pointwise(in_channels: int, out_channels: int, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, 1, groups=groups, bias=False)
    return [conv, se_norm(out_channels)]


def _depthwise(channels: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    if stride == 1:
        conv: nn.Module = DepthwiseConv2d(channels, kernel_size)  # SAME is even padding at stride 1
    else:
        conv = SameConv2d(channels, channels, kernel_size, stride, groups=channels)
    return [conv, se_norm(channels)]
