"""Genotypes and chains: what a search writes and training reads (no torch, no eval)."""

from nas.genotype.chain import Chain, load_chain
from nas.genotype.load import load_genotype, published_genotypes
from nas.genotype.random_chains import Budget, RandomChains, random_chain
from nas.genotype.record import Genotype

__all__ = [
    "Budget",
    "Chain",
    "Genotype",
    "RandomChains",
    "load_chain",
    "load_genotype",
    "published_genotypes",
    "random_chain",
]
