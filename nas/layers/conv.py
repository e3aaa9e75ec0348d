"""The convolution blocks of the DARTS space: activation, convolutions, BatchNorm, in that order.

Shapes: (N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)). No convolution has a
bias. `affine` is whether the BatchNorms have a scale and a shift: off in a search, so that they
do not rescale what the architecture weights scale, and on in training.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and its code.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.own_backward import has_hooks
from nas.layers.sequence import ConvSequence
from nas.layers.subsample import subsample


class ReLUConvBN(ConvSequence):
    """ReLU, convolution, BatchNorm."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, *, affine: bool
    ):
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False),
            nn.BatchNorm2d(out_channels, affine=affine),
        )


class DilConv(ConvSequence):
    """ReLU, depthwise convolution with dilation, pointwise convolution, BatchNorm."""

    def __init__(
        self, channels: int, kernel_size: int, stride: int, *, dilation: int = 2, affine: bool
    ):
        super().__init__(
            nn.ReLU(),
            DepthwiseConv2d(channels, kernel_size, stride, dilation),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels, affine=affine),
        )


class SepConv(ConvSequence):
    """A depthwise separable convolution applied twice; the first one carries the stride."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool):
        super().__init__(
            *DilConv(channels, kernel_size, stride, dilation=1, affine=affine),
            *DilConv(channels, kernel_size, 1, dilation=1, affine=affine),
        )


class FactorizedConv(nn.Sequential):
    """ReLU, 1 x k convolution, k x 1 convolution, BatchNorm; each strides along its kernel."""

    def __init__(self, channels: int, kernel_size: int, stride: int, *, affine: bool):
        padding = kernel_size // 2
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, (1, kernel_size), (1, stride), (0, padding), bias=False),
            nn.Conv2d(channels, channels, (kernel_size, 1), (stride, 1), (padding, 0), bias=False),
            nn.BatchNorm2d(channels, affine=affine),
        )


class FactorizedReduce(nn.Sequential):
    """ReLU, `InterleavedConv`, BatchNorm: halve height and width without losing pixels."""

    def __init__(self, in_channels: int, out_channels: int, *, affine: bool):
        super().__init__(
            nn.ReLU(),
            InterleavedConv(in_channels, out_channels),
            nn.BatchNorm2d(out_channels, affine=affine),
        )


class InterleavedConv(nn.Module):
    """Two strided 1x1 convolutions side by side, each with half of the output channels.

    The first reads the pixels with even row and column, the second those with odd ones.

    Deviation: an odd height or width gets one row or column of zeros at the end before the second
    convolution, and an odd number of channels gives the second convolution one more; the
    reference breaks on both. On even sizes the two are equal.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        if out_channels < 2:
            raise ValueError(f"out_channels is {out_channels}; each half needs one")
        half = out_channels // 2
        self.conv_even = nn.Conv2d(in_channels, half, 1, stride=2, bias=False)
        self.conv_odd = nn.Conv2d(in_channels, out_channels - half, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, ceil(H / 2), ceil(W / 2))."""
        height, width = x.shape[-2:]
        if height % 2 or width % 2:
            x = F.pad(x, (0, width % 2, 0, height % 2))
        if x.device.type == "cpu" and torch.is_grad_enabled() and not self._is_changed():
            even, odd = subsample(x, 2, (0, 1))
            halves = (
                F.conv2d(even, self.conv_even.weight, self.conv_even.bias),
                F.conv2d(odd, self.conv_odd.weight, self.conv_odd.bias),
            )
        else:
            halves = self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])
        return torch.cat(halves, dim=1)

    def _is_changed(self) -> bool:
        """Whether a convolution does more than convolve, so that it has to be called."""
        return any(
            type(conv) is not nn.Conv2d or has_hooks(conv)
            for conv in (self.conv_even, self.conv_odd)
        )
