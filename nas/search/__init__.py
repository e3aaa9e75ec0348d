"""Differentiable search: the architect, the decoder and the loop around them."""

from nas.models import random_genotype
from nas.operators import with_details
from nas.search.architect import Architect
from nas.search.decode import decode
from nas.search.memory import estimate_search_memory
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
