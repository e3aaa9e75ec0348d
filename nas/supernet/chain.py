"""The weight-sharing network of a chain: every layer holds its candidates.

    layer l:  y_l = sum over its candidates k of p_lk block_k(y_(l-1))
    stage s:  sum over its depths d of q_sd * (the output of its first d layers)

Depth is the sink form: the prefixes of a stage are mixed, so that p and q, one-hot, are exactly a
network of the space. Where rows are drawn (`chosen`), one candidate of each of the first d layers
runs and nothing else: memory and time are those of one network. Drawn weights have the value 1, and
their gradients are

    d loss / d p_lk = <d loss / d y_l, block_k(y) - y>    without - y where there is no shortcut
    d loss / d q_sd = <d loss / d stage, y_d - y_first>   y_first after the smallest depth

The shortcut of a layer is the same in all its candidates, and the first layers of a stage in all
its depths; so what is common does not enter the gradient of a choice.

Source: TF-NAS (arXiv:2008.05314), Sec. 3.3, for the sink form; ProxylessNAS (arXiv:1812.00332),
Sec. 3.2, for one path, with the shortcut outside of what is chosen.

Shape legend: N images, C channels, H rows, W columns, K candidates of a layer.
"""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers import initialize
from nas.operators.blocks import build_block, build_stem
from nas.space import ChainLayer, ChainSpace
from nas.space.chain import DEPTHS, LAYERS
from nas.supernet.arch_weights import ArchWeights, EdgeRow, by_group, one_path


class MixedLayer(nn.Module):
    """A layer with all its candidates."""

    def __init__(self, layer: ChainLayer, candidates: Sequence[str]):
        """Build the blocks.

        Args:
            layer: Its candidates.
            candidates: All of the space: the columns of the weights.
        """
        super().__init__()
        columns = {str(candidates.index(name)): block for name, block in layer.blocks.items()}
        self.blocks = nn.ModuleDict({c: build_block(block) for c, block in columns.items()})
        """By column."""
        self.has_shortcut = all(block.has_shortcut for block in layer.blocks.values())

    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """(N, C, H, W) -> (N, C_out, ceil(H / stride), ceil(W / stride))."""
        if row.chosen is not None:
            y = self.blocks[str(row.chosen)](x)
            return _gated(y, row.ops[row.chosen], x if self.has_shortcut else None)
        return sum(row.ops[int(column)] * block(x) for column, block in self.blocks.items())


class ChainStage(nn.Module):
    """The layers of a stage, as many as its largest depth."""

    def __init__(self, space: ChainSpace, number: int):
        """Build the layers.

        Args:
            space: At its width multiplier.
            number: Of the stage, from 0.
        """
        super().__init__()
        layers = space.layers_of(number)
        self.layers = nn.ModuleList(MixedLayer(layer, space.candidates) for layer in layers)
        self.columns = {depth: space.depths.index(depth) for depth in space.stages[number].depths}
        """By depth, in increasing order."""

    def forward(self, x: Tensor, rows: Sequence[EdgeRow], depth_row: EdgeRow) -> Tensor:
        """Return the mixture of the prefixes, or the one that was drawn.

        Args:
            x: (N, C, H, W).
            rows: For each layer.
            depth_row: For the depths.
        """
        first, total = None, None
        for depth, (layer, row) in enumerate(zip(self.layers, rows, strict=True), start=1):
            x = layer(x, row)
            if depth not in self.columns:
                continue
            column = self.columns[depth]
            if depth_row.chosen == column:
                return x if first is None else _gated(x, depth_row.ops[column], first)
            if depth_row.chosen is None:
                part = depth_row.ops[column] * x
                total = part if total is None else total + part
            first = x if first is None else first
        return cast(Tensor, total)


class ChainSupernet(nn.Module):
    """The chain in which every layer holds all its candidates, at all depths.

    Owns the weights w and no architecture parameter: its output is a function of the images and
    of the arch_weights it is given.
    """

    def __init__(self, space: ChainSpace, in_channels: int = 3, num_classes: int = 10):
        """Build the network.

        Args:
            space: At its width multiplier.
            in_channels: Channels of the images.
            num_classes: Number of classes of the dataset.
        """
        super().__init__()
        self.groups = tuple(space.groups)
        self.stem = build_stem(in_channels, space.stem_channels, space.stem.stride)
        self.first = nn.Sequential(*map(build_block, space.first_blocks))
        self.stages = nn.ModuleList(
            ChainStage(space, number) for number in range(len(space.stages))
        )
        self.last = nn.Sequential(*map(build_block, space.last_blocks))
        self.classifier = nn.Linear(space.num_features, num_classes)
        initialize(self)

    def forward(self, x: Tensor, arch_weights: ArchWeights | Sequence[Tensor]) -> Tensor:
        """Classify.

        Args:
            x: Images, (N, in_channels, H, W).
            arch_weights: By group, or in the order of the groups: `layers`, a row for each layer
                with a column for each candidate of the space, and `depths`, a row for each stage
                with a column for each depth.

        Returns:
            Logits, (N, num_classes).
        """
        weights = by_group(arch_weights, self.groups)
        of_layers = iter(weights[LAYERS].rows())
        x = self.first(self.stem(x))
        for stage, depth_row in zip(self.stages, weights[DEPTHS].rows(), strict=True):
            rows = [next(of_layers) for _ in cast(ChainStage, stage).layers]
            x = stage(x, rows, depth_row)
        x = self.last(x)
        # Global pooling whose gradient has the memory format of x; adaptive pooling's is NCHW.
        return self.classifier(F.avg_pool2d(x, x.shape[-2:]).flatten(1))


def path_of(space: ChainSpace, stages: Sequence[Sequence[str]], like: Tensor) -> ArchWeights:
    """Return the weights with which the supernet is one network of the space.

    Layers beyond the depth of their stage have a row too, which nothing reads.

    Args:
        space: At its width multiplier.
        stages: The candidates of each stage's layers.
        like: A tensor of the device and type of the weights.
    """
    columns = []
    for number, names in enumerate(stages):
        absent = [next(iter(layer.blocks)) for layer in space.layers_of(number)[len(names) :]]
        columns += [space.candidates.index(name) for name in (*names, *absent)]
    depths = [space.depths.index(len(names)) for names in stages]
    return {
        LAYERS: one_path(columns, len(space.candidates), like),
        DEPTHS: one_path(depths, len(space.depths), like),
    }


def _gated(y: Tensor, weight: Tensor, common: Tensor | None) -> Tensor:
    """Return y, (N, C, H, W), with <g, y - common> as the gradient of a weight of value 1."""
    if not weight.requires_grad:  # as in a step of w: nothing to compute
        return y
    return y + (weight - 1) * (y if common is None else y - common)
