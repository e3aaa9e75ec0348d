"""The modules of the blocks of a chain.

Shapes: (N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride)).
"""

from collections.abc import Callable
from fractions import Fraction

from torch import nn

from nas.layers import (
    NarrowDepthwise,
    ReLU6,
    Sandglass,
    Transition,
    identity_channels,
    inverted_residual,
)
from nas.layers.conv_norm import pointwise_norm
from nas.space import Block


def build_block(
    block: Block, *, identity_ratio: float | Fraction = 1, affine: bool = True
) -> nn.Module:
    """Build a block.

    Args:
        block: Its kind and sizes.
        identity_ratio: The part of the channels that takes the shortcut of a block that is wide
            between blocks (the identity tensor multiplier), in [0, 1].
        affine: Whether the BatchNorms have a scale and a shift.
    """
    return _BUILDERS[block.kind](block, identity_ratio, affine)


def build_stem(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """Build the first convolution of a chain, 3x3, with BatchNorm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


def _sandglass(block: Block, identity_ratio: float | Fraction, affine: bool) -> nn.Module:
    return Sandglass(
        block.in_channels,
        block.out_channels,
        block.stride,
        hidden_channels=block.hidden_channels,
        kernel_size=block.kernel,
        squeeze_channels=block.squeeze_channels,
        identity_ratio=identity_ratio,
        affine=affine,
    )


def _transition(block: Block, identity_ratio: float | Fraction, affine: bool) -> nn.Module:
    return Transition(
        block.in_channels,
        block.hidden_channels,
        block.out_channels,
        block.stride,
        kernel_size=block.kernel,
        squeeze_channels=block.squeeze_channels,
        affine=affine,
    )


def _narrow(block: Block, identity_ratio: float | Fraction, affine: bool) -> nn.Module:
    channels = identity_channels(block.in_channels, identity_ratio)
    return NarrowDepthwise(
        block.in_channels,
        block.hidden_channels,
        block.out_channels,
        block.stride,
        num_depthwise=1 if block.kind == "fig4a" else 2,
        kernel_size=block.kernel,
        squeeze_channels=block.squeeze_channels,
        shortcut_channels=channels if block.has_shortcut else 0,
        affine=affine,
    )


def _inverted_residual(block: Block, identity_ratio: float | Fraction, affine: bool) -> nn.Module:
    return inverted_residual(
        block.in_channels,
        block.out_channels,
        block.stride,
        expansion_ratio=block.hidden_channels // block.in_channels,
        kernel_size=block.kernel,
        squeeze_channels=block.squeeze_channels,
        affine=affine,
    )


def _conv(block: Block, identity_ratio: float | Fraction, affine: bool) -> nn.Module:
    layers = pointwise_norm(block.in_channels, block.out_channels, block.stride, affine=affine)
    return nn.Sequential(*layers, ReLU6())


_BUILDERS: dict[str, Callable[[Block, float | Fraction, bool], nn.Module]] = {
    "sandglass": _sandglass,
    "transition": _transition,
    "fig4a": _narrow,
    "fig4b": _narrow,
    "inverted_residual": _inverted_residual,
    "conv": _conv,
}
