"""A narrow pointwise convolution and its BatchNorm as one matrix product, fast on a CPU.

In training a BatchNorm reads its input twice forward and twice backward and does little with each
number; at the width of the first DARTS cells that takes longer than the convolution before it. But
a pointwise convolution y = W x is linear, so the moments of y follow from those of x,

    mean(y) = W mean(x)        var(y) = diag(W Cov(x) W^T),

and the normalized output is an affine map of x: z = A x + b, A = diag(scale / std(y)) W. Hence y is
never made nor kept. The backward pass needs the same moments and one product more, sum of g x^T.
Exact identities; only the order of summation differs.

On other devices, layouts and settings this is convolution and BatchNorm as torch has them.

Shape legend: N images, C_in and C_out channels, H rows, W columns; M = N * H * W pixels.
"""

from functools import partial
from typing import Any, NamedTuple, Protocol, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.own_backward import (
    gradients_with_graph,
    has_hooks,
    outside_of_autocast,
    trains_on_cpu,
)

_MAX_CANCELLATION = 100
"""A variance from sums loses as many digits as the terms that cancel in it are larger; beyond this,
no moments."""


MAX_CHANNELS = 16
"""The moments of x cost C_in multiply-adds per number, what they save is passes over memory. With
more channels the two layers are faster, but take more memory (`bench_search_step`, two cores)."""


def is_pointwise(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether a layer is a 1x1 convolution that mixes all channels, without stride and bias."""
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size == layer.stride == (1, 1)
        and layer.padding == (0, 0)
        and layer.groups == 1
        and layer.bias is None
        and not has_hooks(layer)
    )


def is_plain_norm(layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Whether a layer is a BatchNorm in training that keeps running statistics by a momentum.

    As of a convolution, something may wait for its calls; then it is not plain.
    """
    return (
        type(layer) is nn.BatchNorm2d
        and layer.training
        and layer.track_running_stats
        and layer.momentum is not None
        and not has_hooks(layer)
    )


def is_of_type(norm: "Norm", dtype: torch.dtype) -> bool:
    """Whether the statistics and factors of a BatchNorm have a type."""
    numbers = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return all(tensor is None or tensor.dtype == dtype for tensor in numbers)


class Norm(Protocol):
    """What `convolve_and_normalize` reads of a BatchNorm, and writes to its statistics."""

    weight: Any
    bias: Any
    training: bool
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    momentum: float | None
    eps: float


def convolve_and_normalize(
    x: Tensor, weight: Tensor, norm: Norm, scale: Tensor | None, max_channels: int = MAX_CHANNELS
) -> Tensor:
    """Return the BatchNorm of a pointwise convolution, together where that is fast.

    Args:
        x: (N, C_in, H, W).
        weight: (C_out, C_in, 1, 1).
        norm: The BatchNorm, in training mode.
        scale: (C_out,), for a BatchNorm without a scale; None is none.
        max_channels: The largest C_in for which they are one product.

    Returns:
        (N, C_out, H, W).
    """
    num_pixels = x.numel() // x.shape[1]
    if not (
        trains_on_cpu(x)
        and x.shape[1] <= max_channels
        and x.dtype in (torch.float32, torch.float64)  # in half precision sums lose too much
        and x.dtype == weight.dtype
        and is_of_type(norm, x.dtype)
        and x.is_contiguous(memory_format=torch.channels_last)
        and num_pixels > 1
    ):
        return normalize(F.conv2d(x, weight), norm, scale)
    with torch.no_grad():
        moments, is_exact = _moments(_pixels(x), weight.flatten(1))
    if not is_exact:
        return normalize(F.conv2d(x, weight), norm, scale)
    factors = (norm.weight if scale is None else scale, norm.bias)
    z = _PointwiseNorm.apply(x, weight, *factors, *moments, norm.eps)
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    assert norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    # By `data`, as torch's own do, so that the graph of an earlier call stays valid.
    norm.running_mean.data.lerp_(moments.mean, norm.momentum)
    norm.running_var.data.lerp_(moments.var * (num_pixels / (num_pixels - 1)), norm.momentum)
    return z


def normalize(x: Tensor, norm: Norm, scale: Tensor | None) -> Tensor:
    """Return the BatchNorm of x, (N, C, H, W), with another scale if one is given."""
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    if norm.training:
        norm.num_batches_tracked.add_(1)
    return F.batch_norm(
        x,
        norm.running_mean,
        norm.running_var,
        weight=norm.weight if scale is None else scale,
        bias=norm.bias,
        training=norm.training,
        momentum=norm.momentum,
        eps=norm.eps,
    )


class Moments(NamedTuple):
    """Moments over the pixels of x and over those of y = W x."""

    mean_x: Tensor
    """(C_in,)."""
    through: Tensor
    """W Cov(x), (C_out, C_in)."""
    mean: Tensor
    """(C_out,), for y."""
    var: Tensor
    """(C_out,), for y."""


def _moments(pixels: Tensor, matrix: Tensor) -> tuple[Moments, bool]:
    """(M, C_in), (C_out, C_in) -> the moments, and whether rounding leaves them enough digits."""
    share = 1 / len(pixels)
    total = pixels.sum(0)
    mean_x = total * share
    covariance = torch.addr(pixels.T @ pixels, total, mean_x, beta=share, alpha=-share)
    through = matrix @ covariance
    var = (through * matrix).sum(1).clamp_min_(0)
    # Rounding is relative to the squares that were summed, of x and then of W x.
    squares = torch.addcmul(covariance.diagonal(), mean_x, mean_x)
    terms = matrix.square() @ squares
    is_exact = bool((terms <= _MAX_CANCELLATION * var).all())
    return Moments(mean_x, through, matrix @ mean_x, var), is_exact


_NO_GRADIENTS = (None,) * 5
"""Of the moments and eps."""


class _PointwiseNorm(torch.autograd.Function):
    """(x, weight, scale, shift, their moments, eps) -> output.

    Differentiates through the moments by itself: they are handed in without a graph.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        mean_x: Tensor,
        through: Tensor,
        mean: Tensor,
        var: Tensor,
        eps: float,
    ) -> Tensor:
        matrix = weight.flatten(1)
        inverse_std = (var + eps).rsqrt_()
        gain = inverse_std if scale is None else scale * inverse_std
        scaled = gain[:, None] * matrix
        offset = torch.addcmul(mean.new_zeros(()) if shift is None else shift, gain, mean, value=-1)
        z = F.conv2d(x, scaled[:, :, None, None], offset)
        ctx.save_for_backward(x, weight, scale, shift, mean_x, through, inverse_std, scaled)
        ctx.eps = eps
        return z

    @staticmethod
    @outside_of_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            inputs, wanted = ctx.saved_tensors[:4], ctx.needs_input_grad[:4]
            layers = partial(_one_by_one, ctx.eps)
            return (*gradients_with_graph(layers, inputs, wanted, grad), *_NO_GRADIENTS)
        x, weight, scale, shift, mean_x, through, inverse_std, scaled = ctx.saved_tensors
        pixels, matrix, grad = _pixels(x), weight.flatten(1), _pixels(grad)
        num_pixels = len(pixels)
        grad_sum = grad.sum(0)
        product = (grad.T @ pixels).addr_(grad_sum, mean_x, alpha=-1)  # sum of g (x - mean(x))^T
        # The sum of g times the normalized y: the gradient of the scale.
        grad_scale = inverse_std * (product * matrix).sum(1)
        by_std = (grad_scale * inverse_std)[:, None]
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            # dL/dy = gain (g - mean(g) - (y - mean(y)) grad_scale / (M std)), and dL/dx = dL/dy W.
            by_x = (scaled * (by_std * (-1 / num_pixels))).T @ matrix
            by_sum = scaled.T @ grad_sum
            offset = torch.addmv(by_sum, by_x, mean_x, beta=-1 / num_pixels, alpha=-1)
            grad_x = F.conv2d(x, by_x[:, :, None, None], offset)  # by_x is symmetric
            grad_x.permute(0, 2, 3, 1).view_as(pixels).addmm_(grad, scaled)
        if ctx.needs_input_grad[1]:
            gain = inverse_std if scale is None else scale * inverse_std
            found = product.addcmul_(by_std, through, value=-1).mul_(gain[:, None])
            grad_weight = found.as_strided(weight.shape, weight.stride())
        return (
            grad_x,
            grad_weight,
            None if scale is None else grad_scale,
            None if shift is None else grad_sum,
            *_NO_GRADIENTS,
        )


def _one_by_one(
    eps: float, x: Tensor, weight: Tensor, scale: Tensor | None, shift: Tensor | None
) -> Tensor:
    """Return the output of the two layers, from torch's own; running statistics do not move."""
    return F.batch_norm(F.conv2d(x, weight), None, None, scale, shift, True, eps=eps)


def _pixels(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (M, C), a view where x is channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
