"""Genotypes: what a search writes and training reads (no torch, no eval)."""

from nas.genotype.load import load_genotype, published_genotypes
from nas.genotype.record import Genotype

__all__ = ["Genotype", "load_genotype", "published_genotypes"]
