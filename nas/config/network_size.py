"""The sizes at which DARTS trains the networks of searched cells (no torch)."""

from typing import NamedTuple

from nas.errors import ConfigError
from nas.space import get_cell_family


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
"""The size that parameters and multiply-adds of cells of the DARTS family are given for."""


def evaluation_size(family: str) -> NetworkSize:
    """Return the size that parameters and multiply-adds of searched cells are given for."""
    settings = get_cell_family(family).network_settings
    if "num_cells" not in settings:
        return CIFAR_SIZE
    return NetworkSize(settings["init_channels"], settings["num_cells"])


def check_num_cells(num_cells: int, family: str) -> None:
    """Raise ConfigError where a network of the family cannot have so few cells."""
    least = get_cell_family(family).min_cells
    if num_cells < least:
        raise ConfigError(
            f"num_cells: expected at least {least} in a space of the family {family}, found "
            f"{num_cells}"
        )
