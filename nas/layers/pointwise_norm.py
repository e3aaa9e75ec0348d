"""A pointwise convolution and the BatchNorm behind it as one matrix product, fast on a CPU.

In training a BatchNorm reads its input twice forward and twice backward and does little with each
number; at the width of a DARTS cell that takes longer than the convolution before it. But a
pointwise convolution y = W x is linear, so the moments of y follow from those of x,

    mean(y) = W mean(x)        var(y) = diag(W Cov(x) W^T),

and the normalised output is an affine map of x: z = A x + b, A = diag(scale / std(y)) W. Hence y is
never made nor kept. The backward pass needs the same moments and one product more, sum of g x^T.
Exact identities; only the order of summation differs.

On other devices, layouts and settings this is convolution and BatchNorm as torch has them.

Shape legend: N images, C_in and C_out channels, H rows, W columns; M = N * H * W pixels.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MAX_MEAN_TO_STD = 5
"""A covariance from sums loses digits where a mean is far from zero; beyond this, no moments."""


class ConvSequence(nn.Sequential):
    """An `nn.Sequential` that evaluates a pointwise convolution and its BatchNorm together."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in order."""
        return run_layers(list(self), x)


def run_layers(layers: list[nn.Module], x: Tensor, scale: Tensor | None = None) -> Tensor:
    """Apply layers in order, pairs of pointwise convolution and BatchNorm as one.

    Args:
        layers: As in an `nn.Sequential`.
        x: (N, C_in, H, W).
        scale: (C_out,), the scale of the last layer, which then is a BatchNorm without one of its
            own that keeps running statistics; None is none.
    """
    position = 0
    while position < len(layers):
        pair = layers[position : position + 2]
        last = position + len(pair) == len(layers)
        if len(pair) == 2 and _is_pointwise(pair[0]) and _is_plain_norm(pair[1]):
            x = _convolve_and_normalise(x, *pair, scale if last else None)
            position += 2
        else:
            last = position + 1 == len(layers)
            x = _normalise(x, pair[0], scale) if last and scale is not None else pair[0](x)
            position += 1
    return x


def _is_pointwise(layer: nn.Module) -> bool:
    return (
        type(layer) is nn.Conv2d
        and layer.kernel_size == layer.stride == (1, 1)
        and layer.padding == (0, 0)
        and layer.groups == 1
        and layer.bias is None
        # The moments of x cost C_in ** 2: worth it where that is little or the output is as wide.
        and layer.in_channels <= max(layer.out_channels, 32)
    )


def _is_plain_norm(layer: nn.Module) -> bool:
    return (
        type(layer) is nn.BatchNorm2d
        and layer.training
        and layer.track_running_stats
        and layer.momentum is not None
    )


def _convolve_and_normalise(
    x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d, scale: Tensor | None
) -> Tensor:
    num_pixels = x.numel() // x.shape[1]
    if not (
        x.device.type == "cpu"
        and x.dtype == conv.weight.dtype
        and x.is_contiguous(memory_format=torch.channels_last)
        and num_pixels > 1
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    ):
        return _one_by_one(x, conv, norm, scale)
    with torch.no_grad():
        mean_x, covariance = _moments(_pixels(x))
    if (mean_x.square() > _MAX_MEAN_TO_STD**2 * covariance.diagonal()).any():
        return _one_by_one(x, conv, norm, scale)
    z, mean, var = _PointwiseNorm.apply(
        x,
        conv.weight,
        norm.weight if scale is None else scale,
        norm.bias,
        mean_x,
        covariance,
        norm.eps,
    )
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(var * (num_pixels / (num_pixels - 1)), norm.momentum)
    return z


def _one_by_one(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d, scale: Tensor | None) -> Tensor:
    x = conv(x)
    return norm(x) if scale is None else _normalise(x, norm, scale)


def _normalise(x: Tensor, norm: nn.BatchNorm2d, scale: Tensor) -> Tensor:
    if norm.training:
        norm.num_batches_tracked.add_(1)
    return F.batch_norm(
        x,
        norm.running_mean,
        norm.running_var,
        weight=scale,
        training=norm.training,
        momentum=norm.momentum,
        eps=norm.eps,
    )


class _PointwiseNorm(torch.autograd.Function):
    """(x, weight, scale, shift, moments of x, eps) -> output, mean(y), var(y), y = weight * x.

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
        covariance: Tensor,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        matrix = weight.flatten(1)
        mean = matrix @ mean_x
        var = ((matrix @ covariance) * matrix).sum(1).clamp_min(0)
        inverse_std = (var + eps).rsqrt()
        gain = inverse_std if scale is None else scale * inverse_std
        offset = -gain * mean if shift is None else shift - gain * mean
        z = F.conv2d(x, gain[:, None, None, None] * weight, offset)
        ctx.save_for_backward(x, weight, scale, shift, mean_x, covariance, inverse_std)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var)
        return z, mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, scale, shift, mean_x, covariance, inverse_std = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_differentiable_backward(ctx, grad), None, None, None)
        pixels, matrix, grad = _pixels(x), weight.flatten(1), _pixels(grad)
        num_pixels = len(pixels)
        gain = inverse_std if scale is None else scale * inverse_std
        grad_sum = grad.sum(0)
        product = grad.T @ pixels - grad_sum.outer(mean_x)  # sum of g (x - mean(x))^T
        # The sum of g times the normalised y: the gradient of the scale.
        grad_scale = inverse_std * (product * matrix).sum(1)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[1]:
            through_std = (grad_scale * inverse_std)[:, None] * (matrix @ covariance)
            found = gain[:, None] * (product - through_std)
            grad_weight = torch.empty_like(weight).copy_(found.view_as(weight))  # with its strides
        if ctx.needs_input_grad[0]:
            # dL/dy = gain (g - mean(g) - (y - mean(y)) grad_scale / (M std)), and dL/dx = dL/dy W.
            by_x = -((gain * grad_scale * inverse_std / num_pixels)[:, None] * matrix).T @ matrix
            offset = -(gain * grad_sum / num_pixels) @ matrix - mean_x @ by_x
            grad_x = F.conv2d(x, by_x[:, :, None, None], offset)  # by_x is symmetric
            _pixels(grad_x).addmm_(grad, gain[:, None] * matrix)
        return (
            grad_x,
            grad_weight,
            None if scale is None else grad_scale,
            None if shift is None else grad_sum,
            None,
            None,
            None,
        )


def _differentiable_backward(ctx: Any, grad: Tensor) -> list[Tensor | None]:
    """Return the gradients with a graph of their own, from the convolution and the BatchNorm."""
    x, weight, scale, shift, *_ = ctx.saved_tensors
    z = F.batch_norm(F.conv2d(x, weight), None, None, scale, shift, True, eps=ctx.eps)
    inputs = (x, weight, scale, shift)
    wanted = [index for index in range(4) if ctx.needs_input_grad[index]]
    found = torch.autograd.grad(z, [inputs[index] for index in wanted], grad, create_graph=True)
    gradients: list[Tensor | None] = [None] * 4
    for index, gradient in zip(wanted, found, strict=True):
        gradients[index] = gradient
    return gradients


def _moments(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(M, C) -> mean (C,), covariance (C, C)."""
    mean = pixels.sum(0) / len(pixels)
    return mean, pixels.T @ pixels / len(pixels) - mean.outer(mean)


def _pixels(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (M, C), a view where x is channels_last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
