"""A chain, for a search: layers and depths; the result is network.json."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from nas.config import SearchConfig
from nas.config.target import Target
from nas.errors import ConfigError
from nas.genotype import Chain, random_chain
from nas.models.chain_choice import read_budgets
from nas.models.chain_latency import target_costs
from nas.operators import load_plugins
from nas.search.chain_target import ChainTargetTerm
from nas.search.data import SearchData, load_images
from nas.search.kind import Kind
from nas.search.method import Method
from nas.space import ChainSpace
from nas.space.chain_cost import count_chain
from nas.supernet.chain import ChainSupernet

_OF_CELLS = ("init_channels", "num_cells")


class ChainKind(Kind):
    """See `Kind`."""

    noun = "network"

    def __init__(self, space: ChainSpace):
        self.space = space

    def check(self, config: SearchConfig, method: Method) -> None:
        """Refuse sizes of cells, and methods that change the edges of cells."""
        for field in dataclasses.fields(config):
            value = getattr(config, field.name)
            if field.name in _OF_CELLS and value != field.default:
                raise ConfigError(
                    f"{field.name}: found {value}, but {self.space.name} is a chain, whose layers "
                    "and widths are those of its file; leave it out, or use width_mult"
                )
        if type(method).build_edge is not Method.build_edge:
            name = config.method.partition(",")[0]
            raise ConfigError(
                f"method: {name} changes what is on the edges of a cell, and {self.space.name} is "
                "a chain, which has none; use another method, such as darts or gdas"
            )

    def prepare(self, config: SearchConfig) -> None:
        """Import plug-ins, which may register methods."""
        load_plugins(config.plugins)

    def check_data(self, config: SearchConfig, data: SearchData, method: Method) -> None:
        """Refuse images of which the strides would leave nothing but padding."""
        size, least = data.image_shape[1], self.space.reduction
        if size < least:
            raise ConfigError(
                f"image_size: images of {size} x {size} are too small: networks of space "
                f"{self.space.name!r} divide them by {least}; use {least} or more, or a chain for "
                "small images, such as mobilenext_chain_32"
            )

    def build_network(self, config: SearchConfig, data: SearchData, method: Method) -> nn.Module:
        """Build the chain in which every layer holds its candidates."""
        return ChainSupernet(self.space, data.image_shape[0], data.num_classes)

    def target(
        self, target: Target, config: SearchConfig, data: SearchData, method: Method
    ) -> ChainTargetTerm:
        """Count in the network on images of the size of the search, or read the latency table."""
        channels, size, _ = data.image_shape
        costs = target_costs(
            target.quantity, self.space, size, data.num_classes, channels, config.latency_table
        )
        return ChainTargetTerm(target, costs, method)

    def random(self, config: SearchConfig) -> Chain:
        """Draw a network within 3 % of each target, counted for the images of a search."""
        if config.target is None:
            return random_chain(self.space, config.seed)
        info = load_images(config).info
        budgets = read_budgets(
            config.target,
            self.space,
            info.image_size,
            info.num_classes,
            info.channels,
            config.latency_table,
        )
        drawn = random_chain(self.space, config.seed, budgets)
        sizes = {"num_classes": info.num_classes, "image_size": info.image_size}
        return self.with_details(drawn, {**drawn.search, **sizes}, ())

    def numbers(
        self, found: Chain, image_shape: tuple[int, int, int], num_classes: int
    ) -> dict[str, Any]:
        """Return the blocks, parameters and multiply-adds."""
        return {
            "network": found.stages,
            "num_parameters": self._count("parameters", found, image_shape, num_classes),
            "madds": self._count("madds", found, image_shape, num_classes),
        }

    def _count(
        self, quantity: str, found: Chain, image_shape: tuple[int, int, int], num_classes: int
    ) -> int:
        channels, size, _ = image_shape
        return int(count_chain(quantity, self.space, size, num_classes, channels).of(found.stages))

    def read(self, record: Mapping[str, Any]) -> Chain:
        """Return the network of a record."""
        return Chain(self.space, record["network"])

    def with_details(self, found: Chain, details: dict[str, Any], plugins: Sequence[str]) -> Chain:
        """Add the search; the network is complete without plug-ins."""
        return dataclasses.replace(found, search=details)

    def describe(self) -> str:
        """Count layers and networks, and name duplicates."""
        return self.space.describe()
