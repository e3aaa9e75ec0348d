"""The kinds of search spaces, in one table (no torch).

A family says how the cells of a space are built, decoded, trained and drawn. Everything else
(operators, alphas, methods, the loop, reports) works with any family. An entry is written as
"module:name", so that reading a space imports none of them.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from nas.errors import SearchSpaceError, close_matches, shown

DEFAULT_FAMILY = "cell"


@dataclass(frozen=True)
class Family:
    """Where the parts of a family are."""

    description: str
    supernet: str
    """Called as `supernet(space, in_channels=, num_classes=, init_channels=, num_cells=,
    build_edge=)`; the weight-sharing network."""
    decode: str
    """Called as `decode(strengths, space)`; returns a genotype."""
    network: str
    """Called as `network(genotype, in_channels=, num_classes=, init_channels=, num_cells=)`; the
    discrete network."""
    draw: str
    """Called as `draw(genotype, folder)`; returns the paths of the pictures."""

    def load(self, part: str) -> Any:
        """Import one part, such as "supernet"."""
        module, _, name = getattr(self, part).partition(":")
        return getattr(import_module(module), name)


FAMILIES: dict[str, Family] = {
    DEFAULT_FAMILY: Family(
        description="A normal and a reduction cell with two inputs; two edges are kept per node, "
        "and the nodes are concatenated (DARTS)",
        supernet="nas.supernet:Supernet",
        decode="nas.search.decode:decode_cells",
        network="nas.models:GenotypeNetwork",
        draw="nas.report.cells.diagram:draw_cells",
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
    if name not in FAMILIES:
        raise SearchSpaceError(
            f"{where}: unknown family {shown(name)}; {close_matches(str(name), sorted(FAMILIES))}"
        )
    return FAMILIES[name]
