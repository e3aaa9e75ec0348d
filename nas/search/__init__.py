"""Differentiable search: the architect, the decoder and the loop around them."""

from nas.search.architect import Architect
from nas.search.decode import decode

__all__ = ["Architect", "decode"]
