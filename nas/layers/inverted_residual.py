"""The inverted residual block of MobileNetV2: torchvision's, with BatchNorms as we ask for them."""

from functools import partial

from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual


def inverted_residual(
    in_channels: int, out_channels: int, stride: int, *, expansion_ratio: int = 6, affine: bool
) -> nn.Module:
    """Build pw expand + BN + ReLU6, dw 3x3 stride s + BN + ReLU6, pw linear + BN, shortcut.

    The shortcut is there at stride 1 when the widths agree.
    (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)).

    Source: MobileNetV2 (arXiv:1801.04381), Table 1.
    """
    norm_layer = partial(nn.BatchNorm2d, affine=affine)
    return InvertedResidual(in_channels, out_channels, stride, expansion_ratio, norm_layer)
