"""A cell of the supernet: every edge mixed, every node the sum of its edges.

Source: DARTS (arXiv:1806.09055), Sec. 2.1 and 2.2.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from nas.errors import SearchSpaceError
from nas.layers import FactorizedReduce, ReLUConvBN
from nas.space import NUM_INPUTS, SearchSpace
from nas.supernet.arch_weights import EdgeWeights
from nas.supernet.edges import Edge, MixedEdge
from nas.supernet.shared_edges import SharedOperators, SourceState, concatenate

EdgeFactory = Callable[[tuple[str, ...], tuple[str, ...], int, int], Edge]
"""Builds an edge from (on_edge, primitives, channels, stride); see `MixedEdge`."""


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
        build_edge: EdgeFactory = MixedEdge,
    ):
        """Build the cell.

        Args:
            space: The search space.
            cell_type: "normal" or "reduce".
            in_channels: Channels of the outputs of the two cells before, c_{k-2} and c_{k-1}.
            channels: Channels C of every node.
            after_reduction: Whether c_{k-2} has twice the resolution of c_{k-1}.
            by_source: Whether to share work between the edges that leave a state.
            build_edge: Builds an edge from (on_edge, primitives, channels, stride).

        Raises:
            SearchSpaceError: No primitive on the incoming edges of a node passes anything on.
        """
        super().__init__()
        self.cell_type = cell_type
        self.preprocess0: nn.Module = (
            FactorizedReduce(in_channels[0], channels, affine=False)
            if after_reduction
            else ReLUConvBN(in_channels[0], channels, 1, 1, affine=False)
        )
        self.preprocess1 = ReLUConvBN(in_channels[1], channels, 1, 1, affine=False)
        edges = [
            build_edge(
                on_edge,
                space.primitives,
                channels,
                2 if cell_type == "reduce" and source < NUM_INPUTS else 1,
            )
            for (source, _), on_edge in zip(space.edges, space.groups[cell_type], strict=True)
        ]
        self.edges = nn.ModuleList(edges)
        self.ends = space.edges
        self.num_states = NUM_INPUTS + space.num_nodes
        self.by_source = by_source
        self.channels = channels
        self.stride = 2 if cell_type == "reduce" else 1
        if by_source:
            shared = [SharedOperators() for _ in range(self.num_states)]
            for edge, (source, _) in zip(edges, self.ends, strict=True):
                edge.mixed.share(shared[source])
            self.shared = nn.ModuleList(shared)
        for target in range(NUM_INPUTS, self.num_states):
            records = [
                record for index in space.incoming(target) for record in edges[index].mixed.records
            ]
            if all(record.is_zero for record in records):
                raise SearchSpaceError(
                    f"space {space.name!r}: {cell_type} cell: nothing reaches node {target}; give "
                    "its incoming edges a primitive that passes something on"
                )

    def forward(self, s0: Tensor, s1: Tensor, weights: EdgeWeights) -> Tensor:
        """Evaluate the cell.

        Args:
            s0: Output of the cell before the last one, (N, C_0, H_0, W_0).
            s1: Output of the last cell, (N, C_1, H, W).
            weights: The weights of this type of cell, (E, P).

        Returns:
            The nodes concatenated, (N, num_nodes * C, ceil(H / stride), ceil(W / stride)).
        """
        inputs = [self.preprocess0(s0), self.preprocess1(s1)]
        if self.by_source:
            return concatenate(self._by_source(inputs, weights)[NUM_INPUTS:])
        return torch.cat(self._by_edge(inputs, weights)[NUM_INPUTS:], dim=1)

    def _by_edge(self, inputs: list[Tensor], weights: EdgeWeights) -> list[Tensor]:
        """Each node is the sum of its edges: the definition."""
        states = list(inputs)
        rows = weights.rows()
        for target in range(NUM_INPUTS, self.num_states):
            states.append(
                sum(
                    edge(states[source], row)
                    for edge, row, (source, end) in zip(self.edges, rows, self.ends, strict=True)
                    if end == target
                )
            )
        return states

    def _by_source(self, inputs: list[Tensor], weights: EdgeWeights) -> list[Tensor]:
        """Each state adds to the nodes after it; when its turn comes its own sum is complete."""
        rows = weights.rows()
        totals: list[Any] = [None] * self.num_states
        states = list(inputs)
        for source in range(self.num_states):
            if source >= NUM_INPUTS:
                states.append(self._finish(totals[source], inputs[1]))
            state = SourceState(states[source], cast(SharedOperators, self.shared[source]))
            for edge, row, (start, target) in zip(self.edges, rows, self.ends, strict=True):
                if start == source:
                    totals[target] = cast(Edge, edge).add_to(totals[target], state, row)
        return states

    def _finish(self, total: Any, like: Tensor) -> Tensor:
        """Turn the sum of a node into the node; zeros where only `none` was drawn."""
        if total is None:
            size = [-(-length // self.stride) for length in like.shape[2:]]
            return like.new_zeros((len(like), self.channels, *size))
        return cast(Edge, self.edges[0]).finish(total)
