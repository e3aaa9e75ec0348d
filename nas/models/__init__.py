"""Discrete networks."""

from nas.models.network import GenotypeNetwork

__all__ = ["GenotypeNetwork"]
