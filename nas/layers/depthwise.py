"""Depthwise convolution with a backward pass that is fast on a CPU.

On a CPU, oneDNN runs a depthwise convolution forward at any kernel size and dilation in well under
a millisecond where its backward pass takes ten to thirty times as long, except for the weight
gradient of a plain 3x3 kernel. Both gradients are therefore rewritten with the two fast cases:

- dL/dx of a stride-1 "same" convolution is the convolution of dL/dy with the flipped kernel;
- at stride s the output is every s-th row and column of that of stride 1, so that dL/dy with zeros
  put between is the gradient there;
- dL/dw of a dilated kernel is that of a plain kernel on the d * d interleaved sub-images, and that
  of a large kernel is put together from 3x3 kernels on shifted images.

All are exact identities; only the order of summation differs. On other devices this is torch's
convolution, and so it is where no gradient is asked for.

Shape legend: N images, C channels, H rows, W columns, k kernel size, d dilation.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution without bias, padded so that stride 1 keeps the resolution.

    (N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, channels: int, kernel_size: int, stride: int = 1, dilation: int = 1):
        assert kernel_size >= 3 and kernel_size % 2 == 1, f"{kernel_size} is not 3, 5, 7, ..."
        super().__init__(
            channels,
            channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=channels,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        # Under autocast in the type of the weight: torch 2.15 on a CPU gives a wrong weight
        # gradient for 2 dilated channels in bfloat16, channels last.
        with torch.autocast("cpu", enabled=False):
            x = x.to(self.weight.dtype)
            return _SameDepthwise.apply(x, self.weight, self.dilation[0], self.stride[0])


class _SameDepthwise(torch.autograd.Function):
    """The convolution; its backward pass is itself differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation, ctx.stride = dilation, stride
        padding = dilation * (weight.shape[-1] // 2)
        return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        if ctx.stride > 1:
            grad = _spread(grad, ctx.stride, x)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = _SameDepthwise.apply(grad, weight.flip(2, 3), ctx.dilation, 1)
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(x, grad, weight.shape[-1], ctx.dilation)
        return grad_x, grad_weight, None, None


def _spread(grad: Tensor, stride: int, x: Tensor) -> Tensor:
    """Put the values of `grad` at every s-th row and column of zeros of the shape of x."""
    spread = torch.zeros_like(x)
    spread[:, :, ::stride, ::stride] = grad
    return spread


def _weight_gradient(x: Tensor, grad: Tensor, kernel_size: int, dilation: int) -> Tensor:
    """dL/dw[c, 0, i, j] = sum over n, y, x of X[n, c, y + i * d, x + j * d] * dL/dy[n, c, y, x].

    X is x with d * (k // 2) zeros around it. Returns (C, 1, k, k).
    """
    x, grad = _interleaved(x, dilation), _interleaved(grad, dilation)
    if kernel_size == 3:
        return _three_by_three(x, grad, padding=1)
    height, width = grad.shape[-2:]
    padded = F.pad(x, [kernel_size // 2] * 4)
    blocks = _blocks_of_three(kernel_size)
    rows = []
    for top, known_rows in blocks:
        row = []
        for left, known_columns in blocks:
            window = padded[:, :, top : top + height + 2, left : left + width + 2]
            gradient = _three_by_three(window, grad, padding=0)
            row.append(gradient[:, :, known_rows:, known_columns:])
        rows.append(torch.cat(row, dim=3))
    return torch.cat(rows, dim=2)


def _interleaved(x: Tensor, dilation: int) -> Tensor:
    """(N, C, H, W) -> (d * d * N, C, ceil(H / d), ceil(W / d)): every d-th row and column.

    Sizes that d does not divide get zeros at the end, which add nothing to a gradient.
    """
    if dilation == 1:
        return x
    height, width = x.shape[-2:]
    if height % dilation or width % dilation:
        x = F.pad(x, (0, -width % dilation, 0, -height % dilation))
    return torch.cat(
        [x[:, :, i::dilation, j::dilation] for i in range(dilation) for j in range(dilation)]
    )


def _blocks_of_three(kernel_size: int) -> list[tuple[int, int]]:
    """Cover 0 .. k - 1 by threes: (start, how many of the three the block before has)."""
    starts = [min(start, kernel_size - 3) for start in range(0, kernel_size, 3)]
    return [
        (start, max(0, before + 3 - start))
        for before, start in zip([-3, *starts], starts, strict=False)
    ]


def _three_by_three(x: Tensor, grad: Tensor, padding: int) -> Tensor:
    """Weight gradient of a 3x3 kernel at dilation 1, the case that oneDNN does fast."""
    channels = x.shape[1]
    _, gradient, _ = torch.ops.aten.convolution_backward(
        grad,
        x,
        x.new_empty((channels, 1, 3, 3)),  # only its shape is read
        None,
        stride=[1, 1],
        padding=[padding, padding],
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=channels,
        output_mask=[False, True, False],
    )
    return gradient
