"""Search spaces: data files parsed once into a frozen record (no torch)."""

from nas.space.families import DEFAULT_FAMILY, FAMILIES, Family, get_family
from nas.space.files import list_spaces, load_space
from nas.space.record import CELL_TYPES, NUM_INPUTS, SearchSpace, edge_name, edges_of

__all__ = [
    "CELL_TYPES",
    "DEFAULT_FAMILY",
    "FAMILIES",
    "NUM_INPUTS",
    "Family",
    "SearchSpace",
    "edge_name",
    "edges_of",
    "get_family",
    "list_spaces",
    "load_space",
]
