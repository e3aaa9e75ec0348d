"""ReLU6 in place that keeps nothing but its output for the backward pass."""

from typing import Any

import torch
from torch import Tensor, nn


class ReLU6(nn.ReLU6):
    """min(max(x, 0), 6), in place.

    In training torch's own in-place form copies its input first, for a backward pass that could as
    well read the output, which the next convolution keeps anyway.
    """

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Change x, of any shape, and return it."""
        is_compiling = torch.compiler.is_compiling()  # which would not see that x is changed
        if self.training and torch.is_grad_enabled() and x.requires_grad and not is_compiling:
            return _ReLU6.apply(x)
        return super().forward(x)


class _ReLU6(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x.clamp_(0, 6)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (output,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, output, 0, 6)
