"""Differentiable search: the architect, the decoder and the loop around them."""

from nas.search.architect import Architect
from nas.search.decode import decode, with_details
from nas.search.memory import estimate_search_memory
from nas.search.random_cell import random_genotype
from nas.search.searcher import SearchData, Searcher

__all__ = [
    "Architect",
    "SearchData",
    "Searcher",
    "decode",
    "estimate_search_memory",
    "random_genotype",
    "with_details",
]
