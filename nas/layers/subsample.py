"""Every s-th row and column of an image, with a gradient in the image's memory format.

torch's gradient of a slice is always NCHW; for channels_last images that makes everything behind
it convert, at many times the cost of the slice.
"""

from typing import Any

import torch
from torch import Tensor


def subsample(x: Tensor, stride: int, offsets: tuple[int, ...] = (0,)) -> tuple[Tensor, ...]:
    """Return x[:, :, i::stride, i::stride] for every offset i, as separate tensors.

    Args:
        x: (N, C, H, W).
        stride: s.
        offsets: Below s, each once.

    Returns:
        For each offset (N, C, ceil((H - i) / s), ceil((W - i) / s)), in the memory format of x.
    """
    return _Subsample.apply(x, stride, offsets)


class _Subsample(torch.autograd.Function):
    """Linear, and so is its backward pass, which is itself differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int, offsets: tuple[int, ...]) -> tuple[Tensor, ...]:
        ctx.shape, ctx.stride, ctx.offsets = x.shape, stride, offsets
        ctx.memory_format = (
            torch.channels_last
            if x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        return tuple(
            x[:, :, i::stride, i::stride].clone(memory_format=ctx.memory_format) for i in offsets
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        grad_x = torch.empty(
            ctx.shape,
            dtype=grads[0].dtype,
            device=grads[0].device,
            memory_format=ctx.memory_format,
        ).zero_()
        for i, grad in zip(ctx.offsets, grads, strict=True):
            grad_x[:, :, i :: ctx.stride, i :: ctx.stride] = grad
        return grad_x, None, None
