"""Differentiable search: the architect, the decoder and the loop around them."""

from nas.search.architect import Architect
from nas.search.decode import decode, with_details
from nas.search.random_cell import random_genotype
from nas.search.searcher import SearchData, Searcher

__all__ = ["Architect", "SearchData", "Searcher", "decode", "random_genotype", "with_details"]
