"""The inverted residual block of MobileNetV2: torchvision's, with BatchNorms as we ask for them."""

from functools import partial
from typing import cast

import torch
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual

from nas.layers.conv_norm import squeeze_excite
from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.relu6 import ReLU6
from nas.layers.sequence import ConvSequence


def inverted_residual(
    in_channels: int,
    out_channels: int,
    stride: int,
    *,
    expansion_ratio: int = 6,
    kernel_size: int = 3,
    squeeze_channels: int = 0,
    affine: bool,
) -> nn.Module:
    """Build pw expand + BN + ReLU6, dw stride s + BN + ReLU6, pw linear + BN, shortcut.

    The shortcut is there at stride 1 when the widths agree. The layers, their names and their
    weights are torchvision's; they are evaluated in our forms, which are faster.
    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)).

    Args:
        in_channels: C_in.
        out_channels: C_out.
        stride: Of the depthwise convolution.
        expansion_ratio: e; at 1 there is no first pointwise convolution.
        kernel_size: Of the depthwise convolution.
        squeeze_channels: Of squeeze-and-excitation before the last convolution; 0 is none.
        affine: Whether the BatchNorms have a scale and a shift.

    Source: MobileNetV2 (arXiv:1801.04381), Table 1.
    """
    norm_layer = partial(nn.BatchNorm2d, affine=affine)
    block = InvertedResidual(in_channels, out_channels, stride, expansion_ratio, norm_layer)
    layers = [with_fast_forms(layer, kernel_size) for layer in block.conv]
    hidden_channels = in_channels * expansion_ratio
    block.conv = ConvSequence(
        *layers[:-2], *squeeze_excite(hidden_channels, squeeze_channels), *layers[-2:]
    )
    return block


def with_fast_forms(layer: nn.Module, kernel_size: int = 3) -> nn.Module:
    """Return a layer of torchvision's MobileNetV2 in our forms, with the same names and weights.

    Args:
        layer: A block, a sequence, or what is in one.
        kernel_size: Of its depthwise convolution.
    """
    if isinstance(layer, InvertedResidual):
        layer.conv = cast(nn.Sequential, with_fast_forms(layer.conv, kernel_size))
        return layer
    if isinstance(layer, nn.Sequential):
        return ConvSequence(*(with_fast_forms(one, kernel_size) for one in layer))
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        channels, stride = layer.in_channels, layer.stride[0]
        if kernel_size != layer.kernel_size[0]:
            return DepthwiseConv2d(channels, kernel_size, stride)
        with torch.device("meta"):  # draws no random numbers
            depthwise = DepthwiseConv2d(channels, kernel_size, stride)
        depthwise.weight = layer.weight
        return depthwise
    if isinstance(layer, nn.ReLU6):
        return ReLU6()
    return layer
