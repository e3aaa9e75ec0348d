"""Differentiable search: methods, the architect, the decoder and the loop around them."""

from nas.models import random_genotype
from nas.operators import with_details
from nas.search.architect import Architect
from nas.search.data import SearchData
from nas.search.decode import decode
from nas.search.memory import estimate_search_memory
from nas.search.method import Method, Noise, Progress
from nas.search.methods import darts, gdas, pc_darts  # noqa: F401  (importing registers them)
from nas.search.registry import (
    format_registered,
    list_methods,
    register_method,
    register_monitor,
    register_selection,
    register_stop,
    register_term,
)
from nas.search.run import SearchResult, search
from nas.search.searcher import Searcher
from nas.search.stops import Stop

__all__ = [
    "Architect",
    "Method",
    "Noise",
    "Progress",
    "SearchData",
    "SearchResult",
    "Searcher",
    "Stop",
    "decode",
    "estimate_search_memory",
    "format_registered",
    "list_methods",
    "random_genotype",
    "register_method",
    "register_monitor",
    "register_selection",
    "register_stop",
    "register_term",
    "search",
    "with_details",
]
