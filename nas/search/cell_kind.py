"""Cells, for a search: edges with operators; the result is a genotype."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from nas.config import SearchConfig
from nas.config.network_size import CIFAR_SIZE, check_num_cells
from nas.config.target import Target
from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.models.cost import CostTable, count_costs
from nas.models.latency_table import read_latency_table
from nas.models.random_genotype import random_genotype
from nas.operators import get_operator, resolve, with_details
from nas.operators.contract import check_operators, network_sizes
from nas.search.collapse import collapse_numbers, collapse_warning
from nas.search.data import SearchData
from nas.search.epoch_record import cell_numbers
from nas.search.kind import Kind
from nas.search.method import Method
from nas.search.target import TargetTerm
from nas.space import SearchSpace
from nas.supernet import ArchWeights


class CellKind(Kind):
    """See `Kind`."""

    noun = "cells"

    def __init__(self, space: SearchSpace):
        self.space = space

    def check(self, config: SearchConfig, method: Method) -> None:
        """Refuse a width, an order with random operators, and targets of other cells."""
        space = self.space
        if config.width_mult is not None:
            raise ConfigError(
                f"width_mult: has an effect only on a chain, and {space.name} is a space of cells; "
                "use init_channels"
            )
        random = [name for name in space.primitives if get_operator(name).is_random]
        if random and config.order != "first_order":
            raise ConfigError(
                f"order: found {config.order}, but {', '.join(random)} draws other numbers in "
                "every pass, which its finite difference cannot follow; use first_order"
            )
        keeps_two = method.keeps_two_edges and space.kind.edges_per_node == 2
        if config.target is not None and not keeps_two:
            raise ConfigError(
                f"target: found {config.target}, but the expected cost is that of cells with two "
                f"edges to every node, and in space {space.name} the method decodes others; leave "
                "it out"
            )

    def prepare(self, config: SearchConfig) -> None:
        """Check the number of cells and the names of the operators too."""
        check_num_cells(config.num_cells, self.space.family)
        resolve(self.space, config.plugins)

    def check_data(self, config: SearchConfig, data: SearchData, method: Method) -> None:
        """Run every operator at the sizes that it has in the supernet."""
        for part in (method, *(stage.method for stage in method.later_stages(self.space))):
            channels = part.operator_channels(config.init_channels)
            sizes = network_sizes(
                data.image_shape, channels, config.num_cells, family=self.space.family
            )
            check_operators(self.space.primitives, sizes, affine=False)

    def build_network(self, config: SearchConfig, data: SearchData, method: Method) -> nn.Module:
        """Build the supernet of the family, with the edges of the method."""
        return self.space.kind.load("supernet")(
            self.space,
            in_channels=data.image_shape[0],
            num_classes=data.num_classes,
            init_channels=config.init_channels,
            num_cells=config.num_cells,
            build_edge=method.build_edge,
        )

    def target(
        self, target: Target, config: SearchConfig, data: SearchData, method: Method
    ) -> TargetTerm:
        """Count in the evaluation network, or read the latency table, which must fit."""
        return TargetTerm(target, self._costs(target.quantity, config, data), method)

    def _costs(self, quantity: str, config: SearchConfig, data: SearchData) -> CostTable:
        if quantity == "latency_ms":
            table = read_latency_table(Path(str(config.latency_table)))
            return table.costs(self.space, data.image_shape, CIFAR_SIZE)
        return count_costs(quantity, self.space, data.image_shape, data.num_classes)

    def random(self, config: SearchConfig) -> Genotype:
        """Draw cells; no image is read."""
        return random_genotype(self.space, config.seed)

    def numbers(
        self, found: Genotype, image_shape: tuple[int, int, int], num_classes: int
    ) -> dict[str, Any]:
        """Return skip connections, cells, parameters and multiply-adds."""
        return cell_numbers(found, tuple(self.space.groups), image_shape, num_classes)

    def read(self, record: Mapping[str, Any]) -> Genotype:
        """Return the cells of a record."""
        return Genotype(**record["genotype"])

    def collapse(self, weights: ArchWeights, found: Genotype) -> dict[str, dict[str, float]]:
        """Return the numbers of the collapse guard."""
        return collapse_numbers(weights, found, self.space)

    def warning(self, records: Sequence[dict[str, Any]]) -> str | None:
        """Warn of a sign of collapse when it first appears."""
        return collapse_warning(records, self.space)

    def with_details(
        self, found: Genotype, details: dict[str, Any], plugins: Sequence[str]
    ) -> Genotype:
        """Add operators, space and search."""
        return with_details(found, self.space, details, plugins)

    def describe(self) -> str:
        """Count primitives and edges."""
        return f"{len(self.space.primitives)} primitives on {self.space.num_edges} edges"
