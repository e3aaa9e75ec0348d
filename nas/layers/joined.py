"""Equal sequences of layers with different weights, evaluated side by side as one.

E sequences of C channels each are one of E * C channels: the kernels of their depthwise
convolutions follow each other, the matrices of their pointwise convolutions are the blocks on the
diagonal of a larger one, and a BatchNorm normalizes channel by channel in any case. The zeros
around the blocks cost E times the multiply-adds, so that this pays where C is small and the time
goes into calls and half-empty vectors. Exact identities; only the order of summation differs.

Shape legend: N images, E sequences, C channels, H rows, W columns.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.depthwise import DepthwiseConv2d, convolve_depthwise
from nas.layers.own_backward import has_hooks
from nas.layers.pointwise_norm import convolve_and_normalize, is_plain_norm, is_pointwise

_MAX_CHANNELS = 32
"""Convolution and BatchNorm are one product up to here: more than alone, to save memory."""


def can_join(layers: Sequence[nn.Module]) -> bool:
    """Whether `run_joined` knows all of these layers, in training mode."""
    rest = list(layers)
    while rest:
        layer = rest.pop(0)
        if is_pointwise(layer):
            if not rest or not is_plain_norm(norm := rest.pop(0)) or norm.affine:
                return False
        elif type(layer) not in (nn.ReLU, DepthwiseConv2d) or has_hooks(layer):
            return False
    return True


def run_joined(sequences: Sequence[Sequence[nn.Module]], x: Tensor, scale: Tensor) -> Tensor:
    """Apply equal sequences, each to separate C channels.

    Args:
        sequences: E sequences that `can_join` allows, equal but for their weights; the last layer
            is a BatchNorm.
        x: (N, E * C, H, W), sequence after sequence, or (N, C, H, W) for all of them where the
            first layer is a depthwise convolution. It is not changed.
        scale: (E * C,), the scale of the last BatchNorm.

    Returns:
        (N, E * C, H', W'), the outputs sequence after sequence.
    """
    steps = list(zip(*sequences, strict=True))
    for position, layers in enumerate(steps):
        first = layers[0]
        if isinstance(first, nn.ReLU):
            # In place behind the first layer: no gradient reads the output of those before.
            x = F.relu_(x) if position else F.relu(x)
        elif isinstance(first, DepthwiseConv2d):
            weight = torch.cat([layer.weight for layer in layers])
            x = convolve_depthwise(x, weight, first.stride[0], first.dilation[0])
        elif isinstance(first, nn.Conv2d):
            blocks = torch.block_diag(*(layer.weight.flatten(1) for layer in layers))
            norm, is_last = _JoinedNorm(steps[position + 1]), position + 2 == len(steps)
            weight = blocks[:, :, None, None]
            x = convolve_and_normalize(
                x, weight, norm, scale if is_last else None, max_channels=_MAX_CHANNELS
            )
            norm.write_back()
    return x


class _JoinedNorm:
    """BatchNorms side by side, without scale and shift, as one over the channels of all."""

    _STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
    weight, bias, training = None, None, True
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, norms: Sequence[nn.BatchNorm2d]):
        self.norms = norms
        self.eps, self.momentum = norms[0].eps, norms[0].momentum
        for name in self._STATISTICS:
            setattr(self, name, torch.stack([getattr(norm, name) for norm in norms]).flatten())

    def write_back(self) -> None:
        """Give each BatchNorm its part of the statistics.

        By `data`, as torch's own do, so that the graph of an earlier call stays valid.
        """
        for name in self._STATISTICS:
            parts = getattr(self, name).chunk(len(self.norms))
            for norm, part in zip(self.norms, parts, strict=True):
                statistic = getattr(norm, name).data
                statistic.copy_(part.view_as(statistic))
