"""Search spaces: data files parsed once into a frozen record (no torch)."""

from nas.space.blocks import Block, Candidate
from nas.space.chain import ChainLayer, ChainSpace
from nas.space.families import (
    DEFAULT_FAMILY,
    FAMILIES,
    CellFamily,
    Family,
    get_cell_family,
    get_family,
)
from nas.space.files import (
    Space,
    list_spaces,
    load_cells,
    load_chain_space,
    load_space,
    load_space_at,
)
from nas.space.record import CELL_TYPES, NUM_INPUTS, SearchSpace, edge_name, edges_of

__all__ = [
    "CELL_TYPES",
    "DEFAULT_FAMILY",
    "FAMILIES",
    "NUM_INPUTS",
    "Block",
    "Candidate",
    "CellFamily",
    "ChainLayer",
    "ChainSpace",
    "Family",
    "SearchSpace",
    "Space",
    "edge_name",
    "edges_of",
    "get_cell_family",
    "get_family",
    "list_spaces",
    "load_cells",
    "load_chain_space",
    "load_space",
    "load_space_at",
]
