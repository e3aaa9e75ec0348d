"""The supernet, which owns the weights, and the alphas, which own the architecture."""

from nas.supernet.alphas import Alphas
from nas.supernet.arch_weights import ArchWeights, EdgeRow, EdgeWeights
from nas.supernet.edges import Edge, MixedEdge
from nas.supernet.supernet import Supernet

__all__ = ["Alphas", "ArchWeights", "Edge", "EdgeRow", "EdgeWeights", "MixedEdge", "Supernet"]
