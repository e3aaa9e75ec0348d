"""What the networks of a chain cost, layer by layer (no torch).

A choice in one layer changes nothing in another, so the cost of a network is exact as a sum,

    cost(network) = fixed + sum over its layers l of cost[l, the candidate of l],

where `fixed` is the stem, the fixed blocks and the classifier.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from nas.errors import ConfigError, close_matches, shown
from nas.space.blocks import Block
from nas.space.chain import ChainSpace

QUANTITIES = ("madds", "parameters")
"""What can be counted: multiply-adds and parameters."""


@dataclass(frozen=True)
class ChainCosts:
    """The cost of every choice of a chain, in one unit."""

    space: ChainSpace
    fixed: float
    """Of what no choice changes."""
    layers: tuple[dict[str, float], ...]
    """For each layer of `space.layers` the cost of each of its candidates."""

    def of(self, stages: Sequence[Sequence[str]]) -> float:
        """Return the cost of a network, given as the candidates of each stage's layers."""
        cost = self.fixed
        for number, names in enumerate(stages):
            for name, of_layer in zip(names, self.of_stage(number), strict=False):
                cost += of_layer[name]
        return cost

    def of_stage(self, stage: int) -> tuple[dict[str, float], ...]:
        """Return the costs of the layers of a stage."""
        pairs = zip(self.space.layers, self.layers, strict=True)
        return tuple(costs for layer, costs in pairs if layer.stage == stage)

    def bounds(self) -> tuple[float, float]:
        """Return the lowest and the highest cost of a network of the space."""
        low = high = self.fixed
        for number, stage in enumerate(self.space.stages):
            layers = self.of_stage(number)
            lows = list(accumulate(min(costs.values()) for costs in layers))
            highs = list(accumulate(max(costs.values()) for costs in layers))
            low += min(lows[depth - 1] for depth in stage.depths)
            high += max(highs[depth - 1] for depth in stage.depths)
        return low, high


def count_chain(
    quantity: str,
    space: ChainSpace,
    image_size: int | None = None,
    num_classes: int = 1000,
    in_channels: int = 3,
) -> ChainCosts:
    """Count multiply-adds ("madds") of one image, or "parameters".

    Args:
        quantity: "madds" or "parameters".
        space: At its width multiplier.
        image_size: Rows and columns of the images; None takes those of the space.
        num_classes: Of the data set.
        in_channels: Of the images.
    """
    if quantity not in QUANTITIES:
        raise ConfigError(
            f"quantity: {shown(quantity)} is unknown; {close_matches(quantity, QUANTITIES)}"
        )
    index = QUANTITIES.index(quantity)
    space = space if image_size is None else space.at_size(image_size)
    weights = in_channels * space.stem_channels * 9
    size = -(-space.image_size // space.stem.stride)
    features = space.num_features
    fixed = (
        (weights * size**2, features * num_classes)
        if quantity == "madds"
        else (weights + 2 * space.stem_channels, (features + 1) * num_classes)
    )
    return build_chain_costs(space, lambda block, at: block.cost(at)[index], sum(fixed))


def build_chain_costs(
    space: ChainSpace, cost_of: Callable[[Block, int], float], rest: float
) -> ChainCosts:
    """Fill a table of costs.

    Args:
        space: At its width multiplier and image size.
        cost_of: The cost of a block on an input of that number of rows and columns.
        rest: The cost of stem, pooling and classifier.
    """
    for block, size in space.fixed_blocks():
        rest += cost_of(block, size)
    layers = tuple(
        {name: cost_of(block, layer.in_size) for name, block in layer.blocks.items()}
        for layer in space.layers
    )
    return ChainCosts(space, rest, layers)
