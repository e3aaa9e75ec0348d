"""The identity tensor multiplier without slices: two streams of channels from block to block.

y[:, :k] = r[:, :k] + x[:, :k] and y[:, k:] = r[:, k:] (Eq. 4) reads and writes parts of tensors,
which a runtime does by copying them. But between two blocks every layer but one acts on each
channel alone, so the k channels with a shortcut and the others may be two tensors all the way:

- a depthwise convolution or an activation works on each stream with its own channels;
- the pointwise convolution to the bottleneck is a sum, W x = W[:, :k] x_1 + W[:, k:] x_2;
- the one from the bottleneck is two convolutions, with the rows of W for each stream.

No tensor is cut or joined, the sum touches k channels only, and a runtime can fuse it into the
convolution before it. Exact: only the order of summation in the bottleneck differs.

Source: MobileNeXt (arXiv:2007.02269), Sec. 3.3, Eq. 4, in another form.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from nas.layers import Sandglass, Transition
from nas.layers.fold import plain_conv
from nas.models.features import FeatureNetwork

Parts = tuple[Tensor, ...]
"""The streams between two blocks: one tensor of all channels, or two."""


def split_streams(net: nn.Module) -> None:
    """Rewrite a network of sandglass blocks whose shortcut is partial, in place; others stay.

    Args:
        net: With folded BatchNorms.
    """
    if not isinstance(net, FeatureNetwork):
        return
    stem, *blocks = net.features
    if not all(isinstance(block, Sandglass | Transition) for block in blocks):
        return
    if any(isinstance(layer, SqueezeExcitation) for layer in net.modules()):
        return  # it mixes all channels
    widths = [_convs(block)[-1].out_channels for block in blocks]
    partial = [
        channels if 0 < channels < width else 0
        for channels, width in zip(map(_shortcut, blocks), widths, strict=True)
    ]
    if not any(partial):
        return
    # Where a block's output is cut: both ends of a partial shortcut have the same cut.
    cuts = [this or following for this, following in zip(partial, [*partial[1:], 0], strict=True)]
    before = [partial[0], *cuts[:-1]]
    if any(p and not p == b == c for p, b, c in zip(partial, before, cuts, strict=True)):
        return
    streams = [
        StreamBlock(block, cut_in, cut_out)
        for block, cut_in, cut_out in zip(blocks, before, cuts, strict=True)
    ]
    net.features = StreamFeatures(stem, streams, before[0])


class StreamFeatures(nn.Module):
    """The stem and the blocks; one tensor in, one tensor out."""

    def __init__(self, stem: nn.Module, blocks: Sequence[nn.Module], cut: int):
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.cut = cut

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C, ceil(H / 32), ceil(W / 32))."""
        x = self.stem(x)
        parts = (x[:, : self.cut], x[:, self.cut :]) if self.cut else (x,)
        for block in self.blocks:
            parts = block(parts)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class StreamBlock(nn.Module):
    """A `Sandglass` or a `Transition` from streams to streams."""

    def __init__(self, block: nn.Module, cut_in: int, cut_out: int):
        """Take over the weights of a block.

        Args:
            block: With folded BatchNorms.
            cut_in: Channels of the first of the two streams that come in; 0 is one stream.
            cut_out: The same for the output.
        """
        super().__init__()
        layers = [layer for layer in block.conv if not isinstance(layer, nn.Identity)]
        reduce, expand = (i for i, layer in enumerate(layers) if _is_dense(layer))
        assert expand == reduce + 1, "nothing may be between the two pointwise convolutions"
        self.before = _each(layers[:reduce], _slices(cut_in))
        self.reduce = _columns(layers[reduce], cut_in)
        self.after = _each(layers[expand:], _slices(cut_out))
        self.has_shortcut = _shortcut(block) > 0

    def forward(self, x: Parts) -> Parts:
        """Each part (N, C_i, H, W) -> (N, C_j, ceil(H / stride), ceil(W / stride))."""
        wide = [layers(part) for layers, part in zip(self.before, x, strict=True)]
        bottleneck = self.reduce[0](wide[0])
        for conv, part in zip(self.reduce[1:], wide[1:], strict=True):
            bottleneck = bottleneck + conv(part)
        first, *rest = (layers(bottleneck) for layers in self.after)
        return (first + x[0] if self.has_shortcut else first, *rest)


def _each(layers: Sequence[nn.Module], channels: Sequence[slice]) -> nn.ModuleList:
    """Build the layers once for each stream, with the weights of its output channels."""
    return nn.ModuleList(
        nn.Sequential(
            *(
                plain_conv(layer, part) if isinstance(layer, nn.Conv2d) else copy.deepcopy(layer)
                for layer in layers
            )
        )
        for part in channels
    )


def _columns(conv: nn.Conv2d, cut: int) -> nn.ModuleList:
    """Divide a pointwise convolution by its input channels; the first part has the bias."""
    convs = nn.ModuleList()
    for part in _slices(cut):
        weight = conv.weight[:, part]
        bias = None if len(convs) else conv.bias
        columns = nn.Conv2d(weight.shape[1], conv.out_channels, 1, bias=bias is not None)
        columns.weight = nn.Parameter(weight.detach().clone())
        if bias is not None:
            columns.bias = nn.Parameter(bias.detach().clone())
        convs.append(columns)
    return convs


def _slices(cut: int) -> tuple[slice, ...]:
    return (slice(None, cut), slice(cut, None)) if cut else (slice(None),)


def _convs(block: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in block.conv if isinstance(layer, nn.Conv2d)]


def _is_dense(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.groups == 1


def _shortcut(block: nn.Module) -> int:
    return block.shortcut_channels if isinstance(block, Sandglass) else 0
