"""Depthwise convolution with a backward pass that is fast on a CPU.

On a CPU, oneDNN has fast kernels for the forward pass at any kernel size and dilation, and for the
weight gradient of kernels of up to three columns without dilation; other weight gradients take ten
to a hundred times as long. The gradients are therefore rewritten with what is fast:

- dL/dx of a stride-1 "same" convolution is the convolution of dL/dy with the flipped kernel;
- dL/dw of a wide kernel is put together from kernels of three columns on shifted images;
- dL/dw of a dilated kernel is that of a taller plain one, of which every d-th row is kept, on an
  image in which each of d adjacent columns is a separate channel, a mere view;
- a stride that the dilation divides reads every d-th row and column, with a plain kernel.

All are exact identities; only the order of summation differs. On other devices this is torch's
convolution, and so it is where no gradient is asked for, and at a stride that d does not divide.

Shape legend: N images, C channels, H rows, W columns, k kernel size, d dilation, s stride.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.channels import concatenate, split
from nas.layers.own_backward import outside_of_autocast
from nas.layers.subsample import subsample


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
        fits = x.dim() == 4 and x.shape[1] == self.in_channels  # torch says what does not
        if x.device.type != "cpu" or not torch.is_grad_enabled() or not fits:
            return super().forward(x)
        stride, dilation = self.stride[0], self.dilation[0]
        if torch.is_autocast_enabled("cpu"):
            # In the type of the weight: torch 2.15 on a CPU gives a wrong weight gradient for 2
            # dilated channels in bfloat16, channels last.
            with torch.autocast("cpu", enabled=False):
                return self.forward(x.to(self.weight.dtype))
        return convolve_depthwise(x, self.weight, stride, dilation)


def convolve_depthwise(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """Convolve in the form for gradients on a CPU, padded as `DepthwiseConv2d`.

    Args:
        x: (N, C, H, W).
        weight: (E * C, 1, k, k), for E kernels on each channel of x, in turn.
        stride: s.
        dilation: d.

    Returns:
        (N, E * C, ceil(H / s), ceil(W / s)).
    """
    if stride > 1 and stride % dilation:
        padding = dilation * (weight.shape[-1] // 2)
        x = _repeat(x, weight)
        return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))
    if stride > 1 and dilation > 1:
        (x,) = subsample(x, dilation)
        stride, dilation = stride // dilation, 1
    return _SameDepthwise.apply(x, weight, stride, dilation)


class _SameDepthwise(torch.autograd.Function):
    """The convolution, with stride or dilation 1; its backward pass is itself differentiable.

    It keeps x as it is and repeats its channels again in the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.dilation = stride, dilation
        padding = dilation * (weight.shape[-1] // 2)
        x = _repeat(x, weight)
        return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))

    @staticmethod
    @outside_of_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        return (*depthwise_gradients(grad, x, weight, ctx.stride, ctx.dilation, wanted), None, None)


def depthwise_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, stride: int, dilation: int, wanted: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of x and weight of `convolve_depthwise`, with stride or dilation 1.

    Args:
        grad: (N, E * C, H', W').
        x: (N, C, H, W).
        weight: (E * C, 1, k, k).
        stride: s.
        dilation: d.
        wanted: Which of the two are asked for; the other is None.
    """
    kernel_size, channels = weight.shape[-1], x.shape[1]
    if wanted[1] or stride > 1:
        x = _repeat(x, weight)
    grad_x = grad_weight = None
    if wanted[0] and stride == 1:
        grad_x = _SameDepthwise.apply(grad, weight.flip(2, 3), 1, dilation)
    elif wanted[0]:
        padding = (kernel_size // 2, kernel_size // 2)
        grad_x, _, _ = _gradients(grad, x, weight, stride, padding, [True, False, False])
    if grad_x is not None and grad_x.shape[1] > channels:
        first, *others = split(grad_x, [channels] * (len(weight) // channels))
        grad_x = sum(others, first)
    if wanted[1]:
        if dilation > 1:
            grad_weight = _dilated_weight_gradient(x, grad, kernel_size, dilation)
        else:
            grad_weight = _weight_gradient(x, grad, kernel_size, kernel_size, stride)
        if grad_weight.stride() != weight.stride() and weight.is_contiguous():
            # The same numbers in the same places: there is one channel to stride over.
            grad_weight = grad_weight.contiguous().as_strided(weight.shape, weight.stride())
    return grad_x, grad_weight


def _repeat(x: Tensor, weight: Tensor) -> Tensor:
    """(N, C, H, W), (E * C, 1, k, k) -> (N, E * C, H, W), the channels of x E times."""
    count = len(weight) // x.shape[1]
    return concatenate([x] * count) if count > 1 else x


def _dilated_weight_gradient(x: Tensor, grad: Tensor, kernel_size: int, dilation: int) -> Tensor:
    """dL/dw[c, 0, i, j] = sum over n, y, x of X[n, c, y + i * d, x + j * d] * dL/dy[n, c, y, x].

    X is x with d * (k // 2) zeros around it. Returns (C, 1, k, k).
    """
    channels = x.shape[1]
    num_rows = dilation * (kernel_size - 1) + 1
    missing = max(0, num_rows - x.shape[2])  # zeros add nothing, and low images have no fast kernel
    x, grad = (_columns_to_channels(image, dilation, missing) for image in (x, grad))
    found = _weight_gradient(x, grad, num_rows, kernel_size)[:, :, ::dilation]
    return found.reshape(dilation, channels, *found.shape[1:]).sum(0)


def _columns_to_channels(x: Tensor, dilation: int, num_rows: int) -> Tensor:
    """(N, C, H, W) -> (N, d * C, H + num_rows, ceil(W / d)), zeros at the ends.

    Column x becomes column x // d of the channels (x mod d) * C to (x mod d) * C + C - 1.
    """
    num_columns = -x.shape[3] % dilation
    if num_rows or num_columns:
        x = F.pad(x, (0, num_columns, 0, num_rows))
    num_images, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1)
    wide = pixels.reshape(num_images, height, width // dilation, dilation * channels)
    return wide.permute(0, 3, 1, 2)


def _weight_gradient(
    x: Tensor, grad: Tensor, num_rows: int, num_columns: int, stride: int = 1
) -> Tensor:
    """Return dL/dw of a "same" convolution without dilation, (C, 1, num_rows, num_columns)."""
    weight = x.new_empty((x.shape[1], 1, num_rows, 3))  # only its shape is read
    if num_columns == 3:
        padding = (num_rows // 2, 1)
        return _gradients(grad, x, weight, stride, padding, [False, True, False])[1]
    blocks = []
    num_known = 0
    while num_known < num_columns:
        left = min(num_known, num_columns - 3)
        before = num_columns // 2 - left
        window = F.pad(x, (before, 2 - before))  # negative where columns are left out
        padding = (num_rows // 2, 0)
        block = _gradients(grad, window, weight, stride, padding, [False, True, False])[1]
        blocks.append(block[:, :, :, num_known - left :])
        num_known = left + 3
    return torch.cat(blocks, dim=3)


def _gradients(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: int,
    padding: tuple[int, int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return torch's gradients of input, weight and bias of a depthwise convolution."""
    return torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,
        stride=[stride, stride],
        padding=padding,
        dilation=[1, 1],
        transposed=False,
        output_padding=[0, 0],
        groups=len(weight),
        output_mask=wanted,
    )
