"""The inverted residual block of MobileNetV2: torchvision's, with BatchNorms as we ask for them."""

from functools import partial

import torch
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual

from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.pointwise_norm import ConvSequence
from nas.layers.relu6 import ReLU6


def inverted_residual(
    in_channels: int, out_channels: int, stride: int, *, expansion_ratio: int = 6, affine: bool
) -> nn.Module:
    """Build pw expand + BN + ReLU6, dw 3x3 stride s + BN + ReLU6, pw linear + BN, shortcut.

    The shortcut is there at stride 1 when the widths agree. The layers, their names and their
    weights are torchvision's; they are evaluated in our forms, which are faster.
    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)).

    Source: MobileNetV2 (arXiv:1801.04381), Table 1.
    """
    norm_layer = partial(nn.BatchNorm2d, affine=affine)
    block = InvertedResidual(in_channels, out_channels, stride, expansion_ratio, norm_layer)
    block.conv = _with_fast_forms(block.conv)
    return block


def _with_fast_forms(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Sequential):
        return ConvSequence(*map(_with_fast_forms, layer))
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        with torch.device("meta"):  # draws no random numbers
            depthwise = DepthwiseConv2d(layer.in_channels, layer.kernel_size[0], layer.stride[0])
        depthwise.weight = layer.weight
        return depthwise
    if isinstance(layer, nn.ReLU6):
        return ReLU6()
    return layer
