"""A cell of the supernet: every edge mixed, every node the sum of its edges.

Source: DARTS (arXiv:1806.09055), Sec. 2.1 and 2.2.
"""

import torch
from torch import Tensor, nn

from nas.layers import FactorizedReduce, ReLUConvBN
from nas.space import NUM_INPUTS, SearchSpace
from nas.supernet.mixed import MixedEdge


class SupernetCell(nn.Module):
    """A cell with all its edges; in a reduction cell those that leave the inputs have stride 2."""

    def __init__(
        self,
        space: SearchSpace,
        cell_type: str,
        in_channels: tuple[int, int],
        channels: int,
        after_reduction: bool,
    ):
        """Build the cell.

        Args:
            space: The search space.
            cell_type: "normal" or "reduce".
            in_channels: Of the outputs of the two cells before, c_{k-2} and c_{k-1}.
            channels: C, of every node.
            after_reduction: Whether c_{k-2} has twice the resolution of c_{k-1}.
        """
        super().__init__()
        self.cell_type = cell_type
        if after_reduction:
            self.preprocess0 = FactorizedReduce(in_channels[0], channels, affine=False)
        else:
            self.preprocess0 = ReLUConvBN(in_channels[0], channels, 1, 1, affine=False)
        self.preprocess1 = ReLUConvBN(in_channels[1], channels, 1, 1, affine=False)
        self.edges = nn.ModuleList(
            MixedEdge(
                on_edge,
                space.primitives,
                channels,
                stride=2 if cell_type == "reduce" and source < NUM_INPUTS else 1,
            )
            for (source, _), on_edge in zip(space.edges, getattr(space, cell_type), strict=True)
        )
        self.num_nodes = space.num_nodes

    def forward(self, s0: Tensor, s1: Tensor, weights: Tensor) -> Tensor:
        """Evaluate the cell.

        Args:
            s0: Output of the cell before the last one, (N, C_0, H_0, W_0).
            s1: Output of the last cell, (N, C_1, H, W).
            weights: arch_weights of this type of cell, (E, P).

        Returns:
            The nodes concatenated, (N, num_nodes * C, H / stride, W / stride).
        """
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        first_edge = 0
        for _ in range(self.num_nodes):
            incoming = range(first_edge, first_edge + len(states))
            state = sum(
                self.edges[edge](state, weights[edge])
                for edge, state in zip(incoming, states, strict=True)
            )
            first_edge = incoming.stop
            states.append(state)
        return torch.cat(states[NUM_INPUTS:], dim=1)
