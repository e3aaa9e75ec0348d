"""Channels put side by side and taken apart, with dense tensors in both directions.

The gradient of torch.cat, and torch.split itself, are views with gaps between the pixels where
images are channels_last, which are slow to read. Here they are separate tensors.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def concatenate(parts: Sequence[Tensor]) -> Tensor:
    """Return parts of (N, C_i, H, W) each as (N, sum of C_i, H, W)."""
    return _Concatenate.apply(*parts)


def split(x: Tensor, sizes: Sequence[int]) -> tuple[Tensor, ...]:
    """Return (N, C, H, W) as parts of C_i channels in the memory format of x; sizes sum to C."""
    return _Split.apply(x, tuple(sizes))


class _Concatenate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.sizes = tuple(part.shape[1] for part in parts)
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        return split(grad, ctx.sizes)


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
        is_channels_last = x.is_contiguous(memory_format=torch.channels_last)
        memory_format = torch.channels_last if is_channels_last else torch.contiguous_format
        return tuple(part.clone(memory_format=memory_format) for part in x.split(sizes, dim=1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return concatenate(grads), None
