"""Pairs of a convolution without bias and a BatchNorm, as lists of layers for a sequence."""

from torch import nn
from torchvision.ops import SqueezeExcitation

from nas.layers.depthwise import DepthwiseConv2d


def pointwise_norm(
    in_channels: int, out_channels: int, stride: int = 1, *, affine: bool = True
) -> list[nn.Module]:
    """Return a 1x1 convolution and its BatchNorm."""
    return [
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels, affine=affine),
    ]


def depthwise_norm(
    channels: int, kernel_size: int = 3, stride: int = 1, *, affine: bool = True
) -> list[nn.Module]:
    """Return a depthwise convolution and its BatchNorm."""
    return [
        DepthwiseConv2d(channels, kernel_size, stride),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def squeeze_excite(channels: int, squeeze_channels: int) -> list[nn.Module]:
    """Return squeeze-and-excitation with ReLU and sigmoid; nothing at 0 squeeze channels.

    Source: Squeeze-and-Excitation Networks (arXiv:1709.01507), Sec. 3.
    """
    return [SqueezeExcitation(channels, squeeze_channels)] if squeeze_channels else []
