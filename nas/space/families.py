"""The kinds of search spaces, in one table (no torch).

A family says how a space file is read, and how its networks are built, decoded, drawn and picked at
random. Everything else (methods, the loop, reports) works with any family. An entry is written as
"module:name", so that reading a space imports none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from nas.errors import SearchSpaceError, close_matches, shown

DEFAULT_FAMILY = "cell"


@dataclass(frozen=True, kw_only=True)
class Family:
    """What every family has, and where its parts are."""

    description: str
    file_name: str
    """The file of a run directory that holds what was found, or what is trained."""
    read: str
    """Called as `read(parts)` with the files of a space; returns its record."""
    network: str
    """Called as `network(found, ...)` with a genotype or a chain, and settings by name; the
    discrete network."""
    draw: str
    """Called as `draw(found, folder, formats)`; returns the paths of the pictures."""
    search: str
    """Called as `search(space)`; what a search has to know of the kind, `nas.search.kind.Kind`."""
    decode: str
    """Called as `decode(strengths, space)`; returns a genotype or a chain."""
    decode_rule: str
    """What `decode` keeps, in words."""
    edges_per_node: int | None = None
    """Incoming edges that a decoded node keeps; None where every row of alphas decides something,
    and an operator that passes nothing on may be decoded."""

    def load(self, part: str) -> Any:
        """Import one part, such as "network"."""
        module, _, name = getattr(self, part).partition(":")
        return getattr(import_module(module), name)


@dataclass(frozen=True, kw_only=True)
class ChainFamily(Family):
    """A chain of layers, each with one block."""

    file_name: str = "network.json"


@dataclass(frozen=True, kw_only=True)
class CellFamily(Family):
    """Cells that are stacked: what a network of them is made of."""

    file_name: str = "genotype.json"
    read: str = "nas.space.cell_files:read_cells"
    search: str = "nas.search.cell_kind:CellKind"
    supernet: str
    """Called as `supernet(space, in_channels=, num_classes=, init_channels=, num_cells=,
    build_edge=)`; the weight-sharing network."""
    random: str
    """Called as `random(space, seed)`; returns a random genotype."""
    sizes: str
    """Called as `sizes(image_shape, init_channels, num_cells)`; yields, for each cell, its group
    and the sizes of its operators by stride."""
    network_settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of a training run that size and complete the network, where none are given."""
    cell_types: tuple[str, ...] = ("normal", "reduce")
    """The kinds of cells, each with separate alphas."""
    num_inputs: int = 2
    """Input nodes of a cell, which are numbered before its other nodes."""
    edges_per_node: int | None = 2
    min_cells: int = 3
    """The smallest `num_cells`."""
    has_drop_path: bool = True
    """Whether its discrete networks can drop paths."""


FAMILIES: dict[str, Family] = {
    DEFAULT_FAMILY: CellFamily(
        description="A normal and a reduction cell with two inputs; two edges are kept per node, "
        "and the nodes are concatenated (DARTS)",
        supernet="nas.supernet:Supernet",
        decode="nas.search.decode:decode_cells",
        network="nas.models:GenotypeNetwork",
        draw="nas.report.cells.diagram:draw_cells",
        random="nas.models.random_genotype:random_cells",
        sizes="nas.operators.contract:cell_sizes",
        decode_rule="per node the two strongest edges, each with its strongest operator",
        # Channels and cells depend on the stem; see nas.config.augment.
        network_settings=MappingProxyType({"auxiliary_weight": 0.4, "drop_path_prob": 0.2}),
    ),
    "nasbench201": CellFamily(
        description="One kind of cell with one input, an operator on every edge and the last node "
        "as output; three stages with fixed residual blocks between them (NAS-Bench-201)",
        supernet="nas.supernet.nasbench201:Nasbench201Supernet",
        decode="nas.search.decode:decode_edges",
        network="nas.models.nasbench201:Nasbench201Network",
        draw="nas.report.cells.diagram:draw_cells",
        random="nas.models.random_genotype:random_edges",
        sizes="nas.operators.contract:stage_sizes",
        decode_rule="on every edge the strongest operator, none included",
        network_settings=MappingProxyType(
            {"init_channels": 16, "num_cells": 5, "auxiliary_weight": 0.0, "drop_path_prob": 0.0}
        ),
        cell_types=("normal",),
        num_inputs=1,
        edges_per_node=None,
        min_cells=1,
        has_drop_path=False,
    ),
    "chain": ChainFamily(
        description="Layer after layer: a choice of block in each layer and of depth in each stage "
        "(MobileNeXt, MobileNetV2)",
        read="nas.space.chain_files:read_chain",
        network="nas.models.chain:ChainNetwork",
        draw="nas.report.figures.chain:draw_chain",
        search="nas.search.chain_kind:ChainKind",
        decode="nas.search.decode:decode_chain",
        decode_rule="in every layer the strongest candidate, in every stage the strongest depth",
    ),
}


def get_family(name: str, where: str = "family") -> Family:
    """Return a family.

    Args:
        name: A key of `FAMILIES`.
        where: What names it, for the message.

    Raises:
        SearchSpaceError: There is none of this name; the message names close matches.
    """
    if not isinstance(name, str) or name not in FAMILIES:
        raise SearchSpaceError(
            f"{where}: unknown family {shown(name)}; {close_matches(str(name), sorted(FAMILIES))}"
        )
    return FAMILIES[name]


def get_cell_family(name: str, where: str = "family") -> CellFamily:
    """Return a family of cells.

    Raises:
        SearchSpaceError: There is none of this name, or it has no cells.
    """
    family = get_family(name, where)
    if not isinstance(family, CellFamily):
        cells = [key for key, entry in FAMILIES.items() if isinstance(entry, CellFamily)]
        raise SearchSpaceError(
            f"{where}: found {name}, which has no cells; expected {' or '.join(cells)}"
        )
    return family


def get_chain_family(name: str, where: str = "family") -> ChainFamily:
    """Return a family of chains.

    Raises:
        SearchSpaceError: There is none of this name, or it has no chains.
    """
    family = get_family(name, where)
    if not isinstance(family, ChainFamily):
        chains = [key for key, entry in FAMILIES.items() if isinstance(entry, ChainFamily)]
        raise SearchSpaceError(
            f"{where}: found {name}, which is of cells; expected {' or '.join(chains)}"
        )
    return family
