"""What the network of a decoded cell costs, operator by operator.

All nodes of a cell are concatenated, so a choice on one edge changes nothing on another, and

    cost(genotype) = fixed + sum over the kept (edge e, operator o) of cost[e, o],

where cost[e, o] sums over the cells of a group, each with its channels, size and stride, and
`fixed` is the rest: stem, preprocessing, classifier. All counts are those of the evaluation network
that metrics.jsonl reports, not of the supernet.

Shape legend: E edges, P primitives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor, nn

from nas.config.network_size import CIFAR_SIZE, NetworkSize, evaluation_size
from nas.genotype import Genotype
from nas.operators import NUM_DECODED_EDGES, build_operator, get_operator
from nas.operators.contract import OperatorSize, cell_sizes
from nas.runtime.complexity import count_madds, count_parameters
from nas.runtime.device import to_device
from nas.space import NUM_INPUTS, SearchSpace, get_cell_family

OperatorCost = Callable[[str, OperatorSize], float]
"""The cost of an operator of this name at a size."""


@dataclass(frozen=True)
class CostTable:
    """The costs of all operators of a space in an evaluation network."""

    space: SearchSpace
    fixed: float
    """Of what no choice changes."""
    cells: tuple[tuple[str, Tensor], ...]
    """For each cell its group and the cost of each operator on each edge, (E, P); 0 for a pair
    that the space does not have."""

    @cached_property
    def by_group(self) -> dict[str, Tensor]:
        """The sum over the cells of each group, (E, P)."""
        return {
            group: sum((cost for name, cost in self.cells if name == group), torch.zeros(()))
            for group in self.space.groups
        }

    def expected(self, chances: Mapping[str, Tensor]) -> Tensor:
        """Return the expected cost, a scalar: linear in the chances, so differentiable.

        Args:
            chances: For each group how likely each operator is in the network, (E, P).
        """
        edges = [
            (chances[group] * to_device(cost, chances[group].device).to(chances[group].dtype)).sum()
            for group, cost in self.by_group.items()
        ]
        return torch.stack(edges).sum() + self.fixed

    def of(self, genotype: Genotype) -> float:
        """Return the cost of a genotype of the space, all of whose nodes are concatenated."""
        cost = self.fixed
        for group, table in self.by_group.items():
            for target, node in enumerate(getattr(genotype, group), start=NUM_INPUTS):
                first = self.space.incoming(target).start
                for name, source in node:
                    cost += table[first + source, self.space.primitives.index(name)].item()
        return cost

    def bounds(self) -> tuple[float, float]:
        """Return the lowest and the highest cost of a decoded cell.

        Each node keeps two edges and an operator on each, that passes something on.
        """
        return self._extreme(1), self._extreme(-1)

    def _extreme(self, sign: int) -> float:
        total = self.fixed
        for group, on_edges in self.space.groups.items():
            table = sign * self.by_group[group]
            for target in range(NUM_INPUTS, NUM_INPUTS + self.space.num_nodes):
                best = [
                    min(table[edge, self.space.primitives.index(name)].item() for name in names)
                    for edge in self.space.incoming(target)
                    if (names := [n for n in on_edges[edge] if not get_operator(n).is_zero])
                ]
                total += sign * sum(sorted(best)[:NUM_DECODED_EDGES])
        return total


def build_cost_table(
    space: SearchSpace,
    image_shape: tuple[int, int, int],
    cost_of: OperatorCost,
    size: NetworkSize = CIFAR_SIZE,
    fixed: float = 0.0,
) -> CostTable:
    """Fill a table.

    Args:
        space: Its operators must have been resolved.
        image_shape: (C, H, W) of the data set.
        cost_of: The cost of one operator.
        size: Of the evaluation network.
        fixed: The cost of the rest of the network.
    """
    remembered = lru_cache(maxsize=None)(cost_of)  # many cells have the same sizes
    cells = tuple(
        (group, _cell_costs(space, group, by_stride, remembered))
        for group, by_stride in cell_sizes(image_shape, *size)
    )
    return CostTable(space, fixed, cells)


def count_costs(
    quantity: str,
    space: SearchSpace,
    image_shape: tuple[int, int, int],
    num_classes: int,
    size: NetworkSize = CIFAR_SIZE,
) -> CostTable:
    """Count multiply-adds ("madds") or "parameters", without an auxiliary head."""
    index = ("parameters", "madds").index(quantity)
    table = build_cost_table(
        space, image_shape, lambda name, at: _count_operator(name, at)[index], size
    )
    cells = _any_cells(space)
    whole = evaluation_cost(cells, image_shape, num_classes, size)[index]
    return CostTable(space, whole - table.of(cells), table.cells)


@lru_cache(maxsize=256)  # a genotype often stays for many epochs, or comes again
def evaluation_cost(
    genotype: Genotype,
    image_shape: tuple[int, int, int],
    num_classes: int,
    size: NetworkSize | None = None,
) -> tuple[int, int]:
    """Return parameters and multiply-adds of an evaluation network without auxiliary head.

    Args:
        genotype: The cells.
        image_shape: (C, H, W) of the data set.
        num_classes: Number of classes of the data set.
        size: Of the network; None is `evaluation_size` of the family.
    """
    size = size or evaluation_size(genotype.family)
    with torch.device("meta"):
        network = get_cell_family(genotype.family).load("network")(
            genotype,
            in_channels=image_shape[0],
            num_classes=num_classes,
            init_channels=size.init_channels,
            num_cells=size.num_cells,
            auxiliary=False,
        )
    return count_parameters(network), count_madds(network, image_shape)


def _cell_costs(
    space: SearchSpace, group: str, by_stride: Mapping[int, OperatorSize], cost_of: OperatorCost
) -> Tensor:
    costs = torch.zeros(space.num_edges, len(space.primitives), dtype=torch.float64)
    for edge, on_edge in enumerate(space.groups[group]):
        stride = 2 if group == "reduce" and space.edges[edge][0] < NUM_INPUTS else 1
        for column, name in enumerate(space.primitives):
            if name in on_edge and not get_operator(name).is_zero:
                costs[edge, column] = cost_of(name, by_stride[stride])
    return costs


def _count_operator(name: str, at: OperatorSize) -> tuple[int, int]:
    with torch.device("meta"):
        # In a sequence, so that the operator itself may be one layer.
        operator = nn.Sequential(build_operator(name, at.channels, at.stride, affine=True))
    image_shape = (at.channels, at.height, at.width)
    return count_parameters(operator), count_madds(operator, image_shape)


def _any_cells(space: SearchSpace) -> Genotype:
    """Return a genotype of the space: on each node the first edges that pass something on."""
    cells = {}
    for group, on_edges in space.groups.items():
        nodes = []
        for target in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
            pairs = [
                (names[0], space.edges[edge][0])
                for edge in space.incoming(target)
                if (names := [n for n in on_edges[edge] if not get_operator(n).is_zero])
            ]
            nodes.append(tuple(pairs[:NUM_DECODED_EDGES]))
        cells[group] = tuple(nodes)
    concat = tuple(range(NUM_INPUTS, NUM_INPUTS + space.num_nodes))
    return Genotype(cells["normal"], concat, cells["reduce"], concat)
