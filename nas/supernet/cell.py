"""A cell of the supernet: every edge mixed, every node the sum of its edges.

Source: DARTS (arXiv:1806.09055), Sec. 2.1 and 2.2.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from nas.errors import SearchSpaceError
from nas.layers import FactorizedReduce, ReLUConvBN, concatenate
from nas.space import SearchSpace
from nas.supernet.arch_weights import EdgeWeights
from nas.supernet.edges import Edge, MixedEdge
from nas.supernet.shared_edges import SharedOperators, SourceState

EdgeFactory = Callable[[tuple[str, ...], tuple[str, ...], int, int], Edge]
"""Builds an edge from (on_edge, primitives, channels, stride); see `MixedEdge`."""


class EdgeGraph(nn.Module):
    """The edges of a cell between its nodes; in a reduction cell those of the inputs have stride 2.

    A subclass makes the inputs and reads its output from `states`.
    """

    def __init__(self, space: SearchSpace, cell_type: str, channels: int):
        """Take what describes the cell; `add_edges` builds the edges.

        Args:
            space: The search space.
            cell_type: "normal" or "reduce".
            channels: Channels C of every node.
        """
        super().__init__()
        self.cell_type = cell_type
        self.ends = space.edges
        self.num_inputs = space.kind.num_inputs
        self.num_states = self.num_inputs + space.num_nodes
        self.channels = channels
        self.stride = 2 if cell_type == "reduce" else 1

    def add_edges(self, space: SearchSpace, by_source: bool, build_edge: EdgeFactory) -> None:
        """Build the edges.

        Args:
            space: The search space.
            by_source: Whether to share work between the edges that leave a state.
            build_edge: Builds an edge from (on_edge, primitives, channels, stride).

        Raises:
            SearchSpaceError: No primitive on the incoming edges of a node passes anything on.
        """
        cell_type = self.cell_type
        edges = [
            build_edge(
                on_edge,
                space.primitives,
                self.channels,
                self.stride if source < self.num_inputs else 1,
            )
            for (source, _), on_edge in zip(space.edges, space.groups[cell_type], strict=True)
        ]
        self.edges = nn.ModuleList(edges)
        self.by_source = by_source
        if by_source:
            shared = [SharedOperators() for _ in range(self.num_states)]
            for edge, (source, _) in zip(edges, self.ends, strict=True):
                edge.mixed.share(shared[source])
            self.shared = nn.ModuleList(shared)
        for target in space.nodes:
            records = [
                record for index in space.incoming(target) for record in edges[index].mixed.records
            ]
            if all(record.is_zero for record in records):
                raise SearchSpaceError(
                    f"space {space.name!r}: {cell_type} cell: nothing reaches node {target}; give "
                    "its incoming edges a primitive that passes something on"
                )

    def states(self, inputs: list[Tensor], weights: EdgeWeights) -> list[Tensor]:
        """Return inputs and nodes, each (N, C, H, W).

        Args:
            inputs: The input nodes.
            weights: The weights of this type of cell, (E, P).
        """
        if self.by_source:
            return self._by_source(inputs, weights)
        return self._by_edge(inputs, weights)

    def _by_edge(self, inputs: list[Tensor], weights: EdgeWeights) -> list[Tensor]:
        """Each node is the sum of its edges: the definition."""
        states = list(inputs)
        rows = weights.rows()
        for target in range(self.num_inputs, self.num_states):
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
            if source >= self.num_inputs:
                states.append(self._finish(totals[source], inputs[-1]))
            leaving = [
                (cast(Edge, edge), row, target)
                for edge, row, (start, target) in zip(self.edges, rows, self.ends, strict=True)
                if start == source
            ]
            state = SourceState(
                states[source],
                cast(SharedOperators, self.shared[source]),
                {edge.mixed: row for edge, row, _ in leaving if edge.keeps_row},
            )
            for edge, row, target in leaving:
                totals[target] = edge.add_to(totals[target], state, row)
        return states

    def _finish(self, total: Any, like: Tensor) -> Tensor:
        """Turn the sum of a node into the node."""
        return self.empty_node(like) if total is None else cast(Edge, self.edges[0]).finish(total)

    def empty_node(self, like: Tensor) -> Tensor:
        """Return the zeros of a node for which only `none` was drawn; `like` is an input."""
        size = [-(-length // self.stride) for length in like.shape[2:]]
        return like.new_zeros((len(like), self.channels, *size))


class SupernetCell(EdgeGraph):
    """A cell of the DARTS family: two inputs, and the nodes concatenated."""

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
        super().__init__(space, cell_type, channels)
        self.preprocess0: nn.Module = (
            FactorizedReduce(in_channels[0], channels, affine=False)
            if after_reduction
            else ReLUConvBN(in_channels[0], channels, 1, 1, affine=False)
        )
        self.preprocess1 = ReLUConvBN(in_channels[1], channels, 1, 1, affine=False)
        self.add_edges(space, by_source, build_edge)

    def forward(self, s0: Tensor, s1: Tensor, weights: EdgeWeights) -> Tensor:
        """Evaluate the cell.

        Args:
            s0: Output of the cell before the last one, (N, C_0, H_0, W_0).
            s1: Output of the last cell, (N, C_1, H, W).
            weights: The weights of this type of cell, (E, P).

        Returns:
            The nodes concatenated, (N, num_nodes * C, ceil(H / stride), ceil(W / stride)).
        """
        nodes = self.states([self.preprocess0(s0), self.preprocess1(s1)], weights)
        nodes = nodes[self.num_inputs :]
        return concatenate(nodes) if self.by_source else torch.cat(nodes, dim=1)
