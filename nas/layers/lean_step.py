"""BatchNorm, activation and convolutions as one step that keeps nothing but its input.

torch keeps the input of every layer: of the BatchNorm, of the activation and of each convolution.
In training that is most of the memory of a network. All but the first is cheap to compute again in
the backward pass: a BatchNorm whose moments are known is one pass over its input, and a depthwise
convolution is little more. What comes out is the same up to rounding.

Shape legend: N images, C_in and C_out channels, H rows, W columns.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.depthwise import DepthwiseConv2d, convolve_depthwise, depthwise_gradients
from nas.layers.own_backward import gradients_with_graph, outside_of_autocast, trains_on_cpu
from nas.layers.pointwise_norm import is_of_type


class LeanStep(NamedTuple):
    """Layers that follow each other."""

    norm: nn.BatchNorm2d | None
    """In training, with running statistics that move by a momentum."""
    activation: nn.ReLU | nn.ReLU6 | None
    convs: Sequence[nn.Conv2d]
    """A `DepthwiseConv2d` with stride or dilation 1, a pointwise convolution, or the two."""

    @property
    def num_layers(self) -> int:
        """How many layers the step takes the place of."""
        return len(self.convs) + (self.norm is not None) + (self.activation is not None)

    def applies_to(self, x: Tensor) -> bool:
        """Whether the step is right and useful for x: on a CPU, with gradients."""
        return (
            trains_on_cpu(x)
            and x.shape[1] == self.convs[0].in_channels
            and x.numel() > x.shape[1]  # torch refuses to normalize one pixel
            and all(conv.weight.dtype == x.dtype for conv in self.convs)
            and (self.norm is None or is_of_type(self.norm, x.dtype))
        )

    def run(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride)); x is not changed."""
        scale = shift = None
        if self.norm is not None:
            scale, shift = self.norm.weight, self.norm.bias
            assert self.norm.num_batches_tracked is not None
            self.norm.num_batches_tracked.add_(1)
        return _LeanStep.apply(self, x, scale, shift, *(conv.weight for conv in self.convs))


class _LeanStep(torch.autograd.Function):
    """(step, x, scale, shift, a weight for each convolution) -> output."""

    @staticmethod
    def forward(
        ctx: Any,
        step: LeanStep,
        x: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        *weights: Tensor,
    ) -> Tensor:
        y, mean, inverse_std = x, None, None
        if (norm := step.norm) is not None:
            assert norm.momentum is not None
            statistics = (norm.running_mean, norm.running_var)
            y, mean, inverse_std = torch.native_batch_norm(
                x, scale, shift, *statistics, True, norm.momentum, norm.eps
            )
        y = _activate(step, y, is_fresh=norm is not None)
        for conv, weight in zip(step.convs, weights, strict=True):
            y = _convolve(conv, y, weight)
        ctx.save_for_backward(x, scale, shift, mean, inverse_std, *weights)
        ctx.step = step
        return y

    @staticmethod
    @outside_of_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        step, wanted = ctx.step, ctx.needs_input_grad[1:]
        x, scale, shift, mean, inverse_std, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():
            layers = partial(_one_by_one, step)
            tensors = (x, scale, shift, *weights)
            return (None, *gradients_with_graph(layers, tensors, wanted, grad))
        norm_wanted, weights_wanted = wanted[:3], wanted[3:]
        activated = _normalize_again(x, scale, shift, mean, inverse_std)
        if step.norm is not None or any(weights_wanted):  # else x itself says where it passes
            activated = _activate(step, activated, is_fresh=step.norm is not None)
        inputs = [activated]  # of the convolutions; only the gradient of a weight reads the second
        if len(weights) > 1:
            is_read = weights_wanted[1]
            inputs.append(_convolve(step.convs[0], activated, weights[0]) if is_read else activated)
        grads: list[Tensor | None] = [None] * len(weights)
        for index in reversed(range(len(weights))):
            conv, weight, y = step.convs[index], weights[index], inputs.pop()
            before_wanted = any(norm_wanted) or any(weights_wanted[:index])
            mask = (before_wanted, weights_wanted[index])
            if isinstance(conv, DepthwiseConv2d):
                geometry = (conv.stride[0], conv.dilation[0])
                grad_y, grads[index] = depthwise_gradients(grad, y, weight, *geometry, mask)
            else:
                grad_y, grads[index] = _pointwise_gradients(grad, y, weight, mask)
            if grad_y is None:
                break
            grad = grad_y
        if not any(norm_wanted):
            return (None, None, None, None, *grads)
        grad = _activation_gradient(step, grad, activated)
        if step.norm is None:
            return (None, grad, None, None, *grads)
        norm_gradients = torch.ops.aten.native_batch_norm_backward(
            grad, x, scale, None, None, mean, inverse_std, True, step.norm.eps, norm_wanted
        )
        return (None, *norm_gradients, *grads)


def _normalize_again(
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    mean: Tensor | None,
    inverse_std: Tensor | None,
) -> Tensor:
    """Return the output of the BatchNorm with known moments; x where there is none."""
    if mean is None or inverse_std is None:
        return x
    gain = inverse_std if scale is None else scale * inverse_std
    offset = -mean * gain if shift is None else shift - mean * gain
    return torch.addcmul(offset[:, None, None], x, gain[:, None, None])


def _activate(step: LeanStep, x: Tensor, is_fresh: bool) -> Tensor:
    """Return the activation, in place where nobody else has x."""
    if step.activation is None:
        return x
    highest = 6 if isinstance(step.activation, nn.ReLU6) else None
    return x.clamp_(0, highest) if is_fresh else x.clamp(0, highest)


def _activation_gradient(step: LeanStep, grad: Tensor, activated: Tensor) -> Tensor:
    """Change the gradient to that of the activation's input, and return it."""
    if isinstance(step.activation, nn.ReLU6):
        bounds = (0, 6)
        return torch.ops.aten.hardtanh_backward(grad, activated, *bounds, grad_input=grad)
    if step.activation is not None:
        return torch.ops.aten.threshold_backward(grad, activated, 0, grad_input=grad)
    return grad


def _convolve(conv: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(conv, DepthwiseConv2d):
        return convolve_depthwise(x, weight, conv.stride[0], conv.dilation[0])
    return F.conv2d(x, weight)


def _pointwise_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of x and weight; x is only read for that of the weight."""
    grad_x, grad_weight = None, None
    if wanted[0]:
        grad_x = F.conv2d(grad, weight.transpose(0, 1))
    if wanted[1]:
        ones, zeros = [1, 1], [0, 0]
        settings = (None, ones, zeros, ones, False, zeros, 1, [False, True, False])
        grad_weight = torch.ops.aten.convolution_backward(grad, x, weight, *settings)[1]
    return grad_x, grad_weight


def _one_by_one(
    step: LeanStep, x: Tensor, scale: Tensor | None, shift: Tensor | None, *weights: Tensor
) -> Tensor:
    """Return the output of the layers, from torch's own; running statistics do not move."""
    y = x
    if step.norm is not None:
        y = F.batch_norm(y, None, None, scale, shift, True, eps=step.norm.eps)
    if step.activation is not None:
        y = F.relu6(y) if isinstance(step.activation, nn.ReLU6) else F.relu(y)
    for conv, weight in zip(step.convs, weights, strict=True):
        y = _convolve(conv, y, weight)
    return y
