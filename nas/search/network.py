"""The supernet of a search."""

from torch import nn

from nas.config import SearchConfig
from nas.search.data import SearchData
from nas.search.kind import kind_of
from nas.search.method import Method
from nas.space import Space


def build_network(
    config: SearchConfig, space: Space, data: SearchData, method: Method
) -> nn.Module:
    """Build the supernet of a space, as a method needs it, on the CPU."""
    return kind_of(space).build_network(config, data, method)
