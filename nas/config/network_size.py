"""The sizes at which DARTS trains the networks of searched cells (no torch)."""

from typing import NamedTuple


class NetworkSize(NamedTuple):
    """Size of a network of cells."""

    init_channels: int
    """Channels C of the nodes in the first cell."""
    num_cells: int

    def __str__(self) -> str:
        return f"{self.init_channels} channels and {self.num_cells} cells"


NETWORK_SIZES = {"cifar": NetworkSize(36, 20), "imagenet": NetworkSize(48, 14)}
"""By stem. Source: DARTS (arXiv:1806.09055), Sec. 3.1 and 3.3."""

CIFAR_SIZE = NETWORK_SIZES["cifar"]
"""The size that parameters and multiply-adds of searched cells are given for."""
