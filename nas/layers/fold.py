"""BatchNorm in eval mode is an affine map per channel: it goes into the convolution before it.

w' = w * gamma / sqrt(var + eps) and b' = beta - mean * gamma / sqrt(var + eps), channel by channel.
"""

import copy
from collections import Counter
from typing import cast

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from nas.layers.conv import InterleavedConv
from nas.layers.depthwise import DepthwiseConv2d
from nas.layers.own_backward import has_hooks
from nas.layers.same_padding import SameConv2d
from nas.layers.sequence import runs_in_order

_CONVOLUTIONS = (nn.Conv2d, DepthwiseConv2d, SameConv2d)
"""Those that compute with their weight and bias as they are."""


def folded(net: nn.Module) -> nn.Module:
    """Return a copy in eval mode with folded BatchNorms, to measure with."""
    net = copy.deepcopy(net).eval().requires_grad_(False)
    fold_batch_norms(net)
    return net.requires_grad_(False)


def fold_batch_norms(net: nn.Module) -> None:
    """Fold every BatchNorm that directly follows a convolution in a sequence, in place.

    What it leaves behind is `nn.Identity`. A BatchNorm that follows anything else stays, and
    so does one in a sequence that overrides forward, which may call its layers otherwise. So do
    layers that other classes may have changed, that have hooks, or that are in two places.

    Args:
        net: In eval mode.
    """
    uses = Counter(module for _, module in net.named_modules(remove_duplicate=False))
    for sequence in filter(runs_in_order, list(net.modules())):
        for index in range(1, len(sequence)):
            before, norm = sequence[index - 1], sequence[index]
            parts = [*before.modules(), norm]
            if type(norm) is not nn.BatchNorm2d or norm.running_mean is None:
                continue
            if any(has_hooks(part) or uses[part] > 1 for part in parts):
                continue
            if type(before) is InterleavedConv:
                _fold_interleaved(before, norm)
            elif type(before) in _CONVOLUTIONS:
                sequence[index - 1] = _folded(cast(nn.Conv2d, before), norm, slice(None))
            else:
                continue
            sequence[index] = nn.Identity()


def _fold_interleaved(conv: InterleavedConv, norm: nn.BatchNorm2d) -> None:
    """The first convolution makes the first channels, the second the others."""
    half = conv.conv_even.out_channels
    conv.conv_even = _folded(conv.conv_even, norm, slice(None, half))
    conv.conv_odd = _folded(conv.conv_odd, norm, slice(half, None))


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, channels: slice) -> nn.Conv2d:
    def part(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor[channels]

    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        part(norm.running_mean),
        part(norm.running_var),
        norm.eps,
        part(norm.weight),
        part(norm.bias),
    )
    return plain_conv(conv) if isinstance(conv, DepthwiseConv2d) else conv


def plain_conv(conv: nn.Conv2d, channels: slice = slice(None)) -> nn.Conv2d:
    """Return torch's own convolution with some of the output channels of another one.

    Args:
        conv: Dense, or depthwise, where the input channels are those of the output.
        channels: The output channels.
    """
    weight = conv.weight[channels]
    depthwise = conv.groups > 1
    plain = nn.Conv2d(
        len(weight) if depthwise else conv.in_channels,
        len(weight),
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        groups=len(weight) if depthwise else 1,
        bias=conv.bias is not None,
    )
    plain.weight = nn.Parameter(weight.detach().clone())
    if conv.bias is not None:
        plain.bias = nn.Parameter(conv.bias[channels].detach().clone())
    return plain
