"""Sequences of layers, evaluated in the forms that are fast, or small, in training on a CPU.

Layers are taken together where a form for them is known: a narrow pointwise convolution and its
BatchNorm (`pointwise_norm.py`), or a BatchNorm, an activation and the convolutions behind it
(`lean_step.py`). What comes out is what the layers give one by one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeGuard, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.lean_step import LeanStep
from nas.layers.own_backward import has_hooks
from nas.layers.pointwise_norm import (
    MAX_CHANNELS,
    convolve_and_normalize,
    is_plain_norm,
    is_pointwise,
    normalize,
)
from nas.layers.relu6 import ReLU6


class ConvSequence(nn.Sequential):
    """An `nn.Sequential` that takes its layers together where a form for them is known.

    Layers that have hooks are called. On a CPU `torch.func.grad` and `vmap` do not go through it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in order."""
        return run_layers(list(self), x)


def runs_in_order(module: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether a call of a module applies its layers in order and does nothing else."""
    forwards = (nn.Sequential.forward, ConvSequence.forward)
    is_sequence = isinstance(module, nn.Sequential) and type(module).forward in forwards
    return is_sequence and not has_hooks(module)


def run_layers(layers: Sequence[nn.Module], x: Tensor, scale: Tensor | None = None) -> Tensor:
    """Apply layers in order, taken together where a form for them is known.

    Args:
        layers: As in an `nn.Sequential`.
        x: (N, C_in, H, W).
        scale: (C_out,), to scale the last layer by, which then is a BatchNorm without one of its
            own that keeps running statistics; None is none.
    """
    layers = list(_flat(layers))
    position = 0
    while position < len(layers):
        layer, is_last = layers[position], position + 1 == len(layers)
        if _starts_with_product(layers[position : position + 2]) and _fits(x, layer):
            conv, norm = cast(nn.Conv2d, layer), cast(nn.BatchNorm2d, layers[position + 1])
            norm_scale = scale if position + 2 == len(layers) else None
            x = convolve_and_normalize(x, conv.weight, norm, norm_scale)
            position += 2
            continue
        step = _find_step(layers[position:], reads_input=position == 0)
        if step is not None and step.applies_to(x):
            x = step.run(x)
            position += step.num_layers
            continue
        if is_last and scale is not None:
            x = normalize(x, cast(nn.BatchNorm2d, layer), scale)
        elif position and _is_plain_relu(layer) and _is_unread(layers[position - 1]):
            x = F.relu_(x)
        else:
            x = layer(x)
        position += 1
    return x


def _flat(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """Yield the layers that do something, those of sequences among them one by one."""
    for layer in layers:
        if isinstance(layer, ConvSequence) and runs_in_order(layer):
            yield from _flat(layer)
        elif type(layer) is not nn.Identity or has_hooks(layer):
            yield layer


def _is_plain_relu(layer: nn.Module) -> bool:
    return type(layer) is nn.ReLU and not has_hooks(layer)


def _is_unread(layer: nn.Module) -> bool:
    """Whether nobody else has the output of a layer, and no gradient reads it."""
    is_conv = isinstance(layer, nn.Conv2d) and not torch.is_grad_enabled()
    return (is_conv or type(layer) is nn.BatchNorm2d) and not has_hooks(layer)


def _starts_with_product(layers: Sequence[nn.Module]) -> bool:
    """Whether layers begin with a pointwise convolution that is one product with its BatchNorm."""
    return (
        len(layers) > 1
        and is_pointwise(layers[0])
        and layers[0].in_channels <= MAX_CHANNELS
        and is_plain_norm(layers[1])
    )


def _fits(x: Tensor, layer: nn.Module) -> bool:
    """Whether x is a batch of images with the channels of a convolution; torch says what is not."""
    return x.dim() == 4 and x.shape[1] == cast(nn.Conv2d, layer).in_channels


def _find_step(layers: Sequence[nn.Module], reads_input: bool) -> LeanStep | None:
    """Return the step that the layers begin with, if there is one that keeps less than they do.

    Args:
        layers: What is left of a sequence.
        reads_input: Whether that is all of it, so that the step would read the sequence's input.
    """
    rest = list(layers)
    norm = activation = None
    convs: list[Any] = []
    if is_plain_norm(rest[0]):
        norm = cast(nn.BatchNorm2d, rest.pop(0))
    # A ReLU6 without a BatchNorm before it changes its input in place, which keeps as little.
    kinds = (nn.ReLU, nn.ReLU6, ReLU6) if norm else (nn.ReLU,)
    if rest and type(rest[0]) in kinds and not has_hooks(rest[0]):
        activation = cast(nn.ReLU | nn.ReLU6, rest.pop(0))
    if rest and _is_lean_depthwise(rest[0]):
        convs.append(rest.pop(0))
    if rest and is_pointwise(rest[0]) and not _starts_with_product(rest):
        convs.append(rest.pop(0))
    # One convolution alone keeps its input anyway, and so does one behind an activation that
    # may be in place, which it may unless it reads what others may read.
    keeps_less = norm or len(convs) > 1 or (activation and reads_input)
    if not convs or not keeps_less:
        return None
    return LeanStep(norm, activation, convs)


def _is_lean_depthwise(layer: nn.Module) -> bool:
    if type(layer) is not DepthwiseConv2d or has_hooks(layer):
        return False
    return 1 in (layer.stride[0], layer.dilation[0])
