"""The supernet of a search."""

from torch import nn

from nas.config import SearchConfig
from nas.search.data import SearchData
from nas.search.method import Method
from nas.space import SearchSpace, get_cell_family


def build_network(
    config: SearchConfig, space: SearchSpace, data: SearchData, method: Method
) -> nn.Module:
    """Build the supernet of a space, with the edges of a method, on the CPU."""
    return get_cell_family(space.family).load("supernet")(
        space,
        in_channels=data.image_shape[0],
        num_classes=data.num_classes,
        init_channels=config.init_channels,
        num_cells=config.num_cells,
        build_edge=method.build_edge,
    )
