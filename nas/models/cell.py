"""A cell of an evaluation network: the discrete cell that a genotype names.

Source: DARTS (arXiv:1806.09055), Sec. 2.4 and 3.1.
"""

from functools import reduce
from typing import cast

import torch
from torch import Tensor, nn

from nas.genotype.record import Node
from nas.layers import FactorizedReduce, ReLUConvBN, concatenate, drop_path
from nas.operators import build_operator, get_operator
from nas.space import NUM_INPUTS


class GenotypeCell(nn.Module):
    """The operators of one cell, each followed by drop path unless it is an identity."""

    def __init__(
        self,
        nodes: tuple[Node, ...],
        concat: tuple[int, ...],
        in_channels: tuple[int, int],
        channels: int,
        reduction: bool,
        after_reduction: bool,
    ):
        """Build the cell.

        Args:
            nodes: The (primitive, source) pairs of each intermediate node.
            concat: The nodes whose outputs are concatenated.
            in_channels: Of c_{k-2} and c_{k-1}.
            channels: C, of every node.
            reduction: Whether the operators that read an input have stride 2.
            after_reduction: Whether c_{k-2} has twice the resolution of c_{k-1}.
        """
        super().__init__()
        self.preprocess0: nn.Module
        if after_reduction:
            self.preprocess0 = FactorizedReduce(in_channels[0], channels, affine=True)
        else:
            self.preprocess0 = ReLUConvBN(in_channels[0], channels, 1, 1, affine=True)
        self.preprocess1 = ReLUConvBN(in_channels[1], channels, 1, 1, affine=True)
        self.nodes = nn.ModuleList()
        self.sources: list[tuple[int, ...]] = []
        self.drops: list[tuple[bool, ...]] = []
        for node in nodes:
            strides = [2 if reduction and source < NUM_INPUTS else 1 for _, source in node]
            self.nodes.append(
                nn.ModuleList(
                    build_operator(name, channels, stride, affine=True)
                    for (name, _), stride in zip(node, strides, strict=True)
                )
            )
            self.sources.append(tuple(source for _, source in node))
            self.drops.append(
                tuple(
                    not (get_operator(name).is_identity and stride == 1)
                    for (name, _), stride in zip(node, strides, strict=True)
                )
            )
        self.concat = concat
        self.out_channels = len(concat) * channels

    def forward(self, s0: Tensor, s1: Tensor, drop_path_prob: float | Tensor) -> Tensor:
        """Evaluate the cell.

        Args:
            s0: c_{k-2}, (N, C_0, H_0, W_0).
            s1: c_{k-1}, (N, C_1, H, W).
            drop_path_prob: In [0, 1); only used in training.

        Returns:
            (N, len(concat) * C, H / stride, W / stride).
        """
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for operators, sources, drops in zip(self.nodes, self.sources, self.drops, strict=True):
            outputs = []
            rows = zip(cast(nn.ModuleList, operators), sources, drops, strict=True)
            for operator, source, drops_path in rows:
                output = operator(states[source])
                if self.training and drops_path:
                    output = drop_path(output, drop_path_prob)
                outputs.append(output)
            states.append(reduce(torch.add, outputs))
        return concatenate([states[index] for index in self.concat])
