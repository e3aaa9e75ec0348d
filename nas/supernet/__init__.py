"""The supernet, which owns the weights, and the alphas, which own the architecture."""

from nas.supernet.alphas import Alphas
from nas.supernet.supernet import Supernet

__all__ = ["Alphas", "Supernet"]
