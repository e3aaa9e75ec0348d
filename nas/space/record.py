"""The record of a search space: what may stand on each edge of a cell (no torch).

Source: DARTS (arXiv:1806.09055), Sec. 2.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from nas.space.families import DEFAULT_FAMILY, CellFamily, get_cell_family

NUM_INPUTS = 2
"""Input nodes of a DARTS cell: the outputs of the two cells before it, c_{k-2} and c_{k-1}."""

CELL_TYPES = ("normal", "reduce")
"""The kinds of cells of the DARTS family."""


def edges_of(num_nodes: int, num_inputs: int = NUM_INPUTS) -> tuple[tuple[int, int], ...]:
    """Return (source, target) of every edge of a cell, node by node, inputs in order."""
    return tuple(
        (source, target)
        for target in range(num_inputs, num_inputs + num_nodes)
        for source in range(target)
    )


def edge_name(edge: tuple[int, int]) -> str:
    """Write an edge as the space files do, such as "0->2"."""
    return f"{edge[0]}->{edge[1]}"


@dataclass(frozen=True)
class SearchSpace:
    """What may stand on each edge of a cell.

    The first nodes are the inputs of the cell (in the DARTS family 0 and 1, c_{k-2} and c_{k-1}),
    the others the intermediate ones. Every earlier node is joined to every intermediate node by one
    edge. Edges are counted node by node, inputs in order: for 4 nodes and two inputs 0->2, 1->2,
    0->3, 1->3, 2->3, ... 4->5.
    """

    name: str
    num_nodes: int
    """Intermediate nodes, 1 to 16."""
    primitives: tuple[str, ...]
    """P names, `none` among them where the space has it: the columns of the alphas."""
    normal: tuple[tuple[str, ...], ...]
    """The primitives on each of the E edges of a normal cell."""
    reduce: tuple[tuple[str, ...], ...]
    """The primitives on each of the E edges of a reduction cell; empty in a family without."""
    family: str = DEFAULT_FAMILY
    """The kind of space, a key of `nas.space.families.FAMILIES`."""
    plugins: tuple[str, ...] = ()
    """Modules (`package.module`) or files (`path/to/file.py`) that register operators."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """For each primitive the place that asked for it, for error messages."""

    @property
    def kind(self) -> CellFamily:
        """The record of the family."""
        return get_cell_family(self.family)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(source, target) of each edge; the rows of the alphas."""
        return edges_of(self.num_nodes, self.kind.num_inputs)

    @property
    def nodes(self) -> range:
        """The numbers of the intermediate nodes."""
        return range(self.kind.num_inputs, self.kind.num_inputs + self.num_nodes)

    @property
    def groups(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """For each group of cells that shares its alphas, the primitives on each of its edges."""
        return {cell_type: getattr(self, cell_type) for cell_type in self.kind.cell_types}

    def columns(self, group: str) -> tuple[str, ...]:
        """Return the names of the columns of a group of alphas: the primitives."""
        return self.primitives

    def row_names(self, group: str) -> tuple[str, ...]:
        """Return the names of the rows of a group of alphas: the edges."""
        return tuple(map(edge_name, self.edges))

    def panel_places(self, group: str) -> tuple[tuple[int, int], ...]:
        """Return where a figure draws each row of a group: the node it ends in, and its source."""
        return tuple((target - self.nodes.start, source) for source, target in self.edges)

    @property
    def num_edges(self) -> int:
        """E = sum over the nodes of their inputs; 14 for 4 nodes and two inputs."""
        return len(self.edges)

    def incoming(self, target: int) -> range:
        """Return the edge indices that end in node `target`."""
        start = sum(range(self.kind.num_inputs, target))
        return range(start, start + target)

    def mask(self, cell_type: str) -> tuple[tuple[bool, ...], ...]:
        """Return for each edge and primitive whether the pair exists; E rows of P."""
        on_edges = getattr(self, cell_type)
        return tuple(tuple(name in on_edge for name in self.primitives) for on_edge in on_edges)

    def to_yaml(self) -> str:
        """Write the space as one file that `load_space` reads back to an equal record."""
        document: dict[str, Any] = {
            "name": self.name,
            "family": self.family,
            "num_nodes": self.num_nodes,
            "primitives": list(self.primitives),
        }
        edges = {
            cell_type: {
                edge_name(edge): list(on_edge)
                for edge, on_edge in zip(self.edges, on_edges, strict=True)
                if on_edge != self.primitives
            }
            for cell_type, on_edges in self.groups.items()
        }
        if any(edges.values()):
            document["edges"] = {key: value for key, value in edges.items() if value}
        if self.plugins:
            document["plugins"] = list(self.plugins)
        return yaml.safe_dump(document, sort_keys=False, default_flow_style=None)
