"""Operators without weights: pooling, noise, and nothing at all."""

import torch
from torch import Tensor, nn


class Zero(nn.Module):
    """Multiply by zero, at the resolution that the stride asks for.

    (N, C, H, W) -> zeros of (N, C, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros that still depend on x, with a gradient of zero."""
        return x[:, :, :: self.stride, :: self.stride] * 0


class Noise(nn.Module):
    """Forget the input: standard normal noise, new in every pass, without a gradient.

    (N, C, H, W) -> N(0, 1) of (N, C, ceil(H / stride), ceil(W / stride)). The noise comes from
    torch's global generator, which a run restores when it is resumed, and is the same in every
    memory format.
    """

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the noise, in the memory format of x."""
        like = torch.empty_like(x[:, :, :: self.stride, :: self.stride], requires_grad=False)
        return like.copy_(torch.randn(like.shape, dtype=like.dtype, device=like.device))


def max_pool(stride: int) -> nn.MaxPool2d:
    """Build a 3x3 max pooling with padding 1."""
    return nn.MaxPool2d(3, stride, padding=1)


def avg_pool(stride: int) -> nn.AvgPool2d:
    """Build a 3x3 average pooling with padding 1 that averages over the real pixels only."""
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
