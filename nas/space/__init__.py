"""Search spaces: data files parsed once into a frozen record (no torch)."""

from nas.space.files import list_spaces, load_space
from nas.space.record import CELL_TYPES, NUM_INPUTS, SearchSpace, edge_name, edges_of

__all__ = [
    "CELL_TYPES",
    "NUM_INPUTS",
    "SearchSpace",
    "edge_name",
    "edges_of",
    "list_spaces",
    "load_space",
]
