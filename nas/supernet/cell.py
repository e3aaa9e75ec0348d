"""A cell of the supernet: every edge mixed, every node the sum of its edges.

Source: DARTS (arXiv:1806.09055), Sec. 2.1 and 2.2.
"""

import torch
from torch import Tensor, nn

from nas.errors import SearchSpaceError
from nas.layers import FactorizedReduce, ReLUConvBN
from nas.space import NUM_INPUTS, SearchSpace
from nas.supernet.mixed import MixedEdge
from nas.supernet.shared_edges import SharedOperators, SourceState, add_edge, concatenate


class SupernetCell(nn.Module):
    """A cell with all its edges; in a reduction cell those that leave the inputs have stride 2."""

    def __init__(
        self,
        space: SearchSpace,
        cell_type: str,
        in_channels: tuple[int, int],
        channels: int,
        after_reduction: bool,
        by_source: bool = True,
    ):
        """Build the cell.

        Args:
            space: The search space.
            cell_type: "normal" or "reduce".
            in_channels: Of the outputs of the two cells before, c_{k-2} and c_{k-1}.
            channels: C, of every node.
            after_reduction: Whether c_{k-2} has twice the resolution of c_{k-1}.
            by_source: Whether to share work between the edges that leave a state.

        Raises:
            SearchSpaceError: No primitive on the incoming edges of a node passes anything on.
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
        self.ends = space.edges
        self.num_states = NUM_INPUTS + space.num_nodes
        self.by_source = by_source
        if by_source:
            self.shared = nn.ModuleList(
                SharedOperators(self._outgoing(source)) for source in range(self.num_states)
            )
        for target in range(NUM_INPUTS, self.num_states):
            records = [
                record for edge in space.incoming(target) for record in self.edges[edge].records
            ]
            if all(record.is_zero for record in records):
                raise SearchSpaceError(
                    f"space {space.name!r}: {cell_type} cell: nothing reaches node {target}; give "
                    "its incoming edges a primitive that passes something on"
                )

    def forward(self, s0: Tensor, s1: Tensor, weights: Tensor) -> Tensor:
        """Evaluate the cell.

        Args:
            s0: Output of the cell before the last one, (N, C_0, H_0, W_0).
            s1: Output of the last cell, (N, C_1, H, W).
            weights: arch_weights of this type of cell, (E, P).

        Returns:
            The nodes concatenated, (N, num_nodes * C, H / stride, W / stride).
        """
        inputs = [self.preprocess0(s0), self.preprocess1(s1)]
        if self.by_source:
            return concatenate(self._by_source(inputs, weights)[NUM_INPUTS:])
        return torch.cat(self._by_edge(inputs, weights)[NUM_INPUTS:], dim=1)

    def _outgoing(self, source: int) -> list[MixedEdge]:
        return [
            edge for edge, (start, _) in zip(self.edges, self.ends, strict=True) if start == source
        ]

    def _by_edge(self, inputs: list[Tensor], weights: Tensor) -> list[Tensor]:
        """Each node is the sum of its mixed edges: the definition."""
        states = list(inputs)
        for target in range(NUM_INPUTS, self.num_states):
            states.append(
                sum(
                    edge(states[source], row)
                    for edge, row, (source, end) in zip(self.edges, weights, self.ends, strict=True)
                    if end == target
                )
            )
        return states

    def _by_source(self, inputs: list[Tensor], weights: Tensor) -> list[Tensor]:
        """Each state adds to the nodes after it; when its turn comes its own sum is complete."""
        rows = [row.unbind() for row in weights.unbind()]
        states: list[Tensor | None] = [*inputs, *[None] * (self.num_states - NUM_INPUTS)]
        for source in range(self.num_states):
            state = SourceState(states[source], self.shared[source])
            for edge, row, (start, target) in zip(self.edges, rows, self.ends, strict=True):
                if start == source:
                    states[target] = add_edge(states[target], edge, state, row)
        return states
