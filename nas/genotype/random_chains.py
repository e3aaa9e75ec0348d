"""Random networks of a chain at a budget: the baseline that a searched one has to beat (no torch).

Every network of the space whose cost is within a tolerance of the budget is equally likely. Such
networks may be rare among all, so they are not found by drawing from all: a network x is drawn
with a probability proportional to exp(-r cost(x)), for which each layer can be drawn alone, and
kept with a probability proportional to exp(r cost(x)). The product is the same for all, so the draw
is exactly uniform, for any r (rejection sampling from an exponentially tilted proposal). Fewest
draws are needed where the mean cost of the proposal is the nearer end of what is allowed, and r = 0
where the mean of all networks is allowed already.
"""

import math
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nas.errors import ConfigError, shown_range
from nas.genotype.chain import Chain
from nas.space import ChainSpace
from nas.space.chain_cost import ChainCosts

TOLERANCE = 0.03
"""The relative distance from a budget at which a network still meets it."""
MAX_DRAWS = 100_000
_NUM_NEAR = 10_000
"""Of the draws among which the nearest is named."""
_STEPS = 60
"""Of the bisection for r."""


class Budget(NamedTuple):
    """A cost to be near to."""

    costs: ChainCosts
    value: float


class RandomChains:
    """Draws networks uniformly among those that meet all budgets."""

    def __init__(
        self,
        space: ChainSpace,
        budgets: Mapping[str, Budget] | None = None,
        tolerance: float = TOLERANCE,
    ):
        """Prepare to draw.

        Args:
            space: The space, at its width multiplier.
            budgets: By the name of a quantity, such as "madds"; without any, all networks of the
                space are equally likely.
            tolerance: The relative distance from a budget that is allowed.

        Raises:
            ConfigError: A budget is outside of the space.
        """
        self.space = space
        self.budgets = dict(budgets or {})
        self.tolerance = tolerance
        self._limits = []
        for quantity, (costs, value) in self.budgets.items():
            check_budget(quantity, costs, value)
            self._limits.append((costs, value * (1 - tolerance), value * (1 + tolerance)))
        self._proposal = _Proposal(space, None, 0.0)
        if self._limits:
            costs, low, high = self._limits[0]
            self._proposal = _Proposal(space, costs, _rate(space, costs, low, high))

    def draw(self, generator: random.Random) -> tuple[tuple[str, ...], ...]:
        """Return the candidates of each stage of one network.

        Raises:
            ConfigError: No network was found that meets all budgets.
        """
        if (stages := self.find(generator)) is not None:
            return stages
        wanted = " and ".join(f"{b.value:g} {name}" for name, b in self.budgets.items())
        raise ConfigError(
            f"target: {MAX_DRAWS} random networks of space {self.space.name!r} were not within "
            f"{self.tolerance:.0%} of {wanted}; choose another target, such as "
            f"{self._nearest(generator)}, to which one came near"
        )

    def find(self, generator: random.Random) -> tuple[tuple[str, ...], ...] | None:
        """Return what `draw` does, or None where no network was found."""
        for _ in range(MAX_DRAWS):
            stages = self._proposal.draw(generator)
            if self.meets(stages) and generator.random() < self._chance(stages):
                return stages
        return None

    def _nearest(self, generator: random.Random) -> str:
        """Return the costs of the nearest of many networks, as targets."""

        def distance(stages: Sequence[Sequence[str]]) -> float:
            return max(abs(b.costs.of(stages) / b.value - 1) for b in self.budgets.values())

        nearest = min((self._proposal.draw(generator) for _ in range(_NUM_NEAR)), key=distance)
        costs = {name: b.costs.of(nearest) for name, b in self.budgets.items()}
        return "+".join(f"{name}={cost:.4g}" for name, cost in costs.items())

    def meets(self, stages: Sequence[Sequence[str]]) -> bool:
        """Return whether a network, the candidates of each stage, is near to all budgets."""
        return all(low <= costs.of(stages) <= high for costs, low, high in self._limits)

    def _chance(self, stages: Sequence[Sequence[str]]) -> float:
        """Return exp(r cost), divided by its largest value within the limits."""
        rate = self._proposal.rate
        if not rate:
            return 1.0
        costs, low, high = self._limits[0]
        return math.exp(rate * (costs.of(stages) - (high if rate > 0 else low)))


def random_chain(
    space: ChainSpace,
    seed: int,
    budgets: Mapping[str, Budget] | None = None,
    tolerance: float = TOLERANCE,
) -> Chain:
    """Draw a network uniformly among those that meet all budgets.

    Args:
        space: The space, at its width multiplier.
        seed: The same seed gives the same network on every machine.
        budgets: As for `RandomChains`.
        tolerance: As for `RandomChains`.

    Raises:
        ConfigError: A budget is outside of the space, or no network was found that meets all.
    """
    stages = RandomChains(space, budgets, tolerance).draw(random.Random(seed))
    search = {"method": "random", "seed": seed}
    values = {quantity: budget.value for quantity, budget in (budgets or {}).items()}
    return Chain(space, stages, search | ({"budgets": values} if values else {}))


def check_budget(quantity: str, costs: ChainCosts, budget: float) -> None:
    """Raise ConfigError where no network of a space has a cost, saying the ends of the space."""
    low, high = costs.bounds()
    if not low <= budget <= high:
        space, unit = costs.space, " milliseconds" if quantity == "latency_ms" else ""
        raise ConfigError(
            f"target: {quantity}: found {budget:g}, but networks of space {space.name!r} at width "
            f"{space.width_mult:g} have {shown_range(low, high)}{unit}; choose a number in this "
            "range, or another width"
        )


class _Proposal:
    """Networks with a probability proportional to exp(-rate * cost), drawn layer by layer."""

    def __init__(self, space: ChainSpace, costs: ChainCosts | None, rate: float):
        self.rate = rate
        self.layers: list[list[tuple[list[str], list[float]]]] = [[] for _ in space.stages]
        self.depths: list[tuple[tuple[int, ...], list[float]]] = []
        self.mean = costs.fixed if costs else 0.0
        log_sums: list[list[float]] = [[] for _ in space.stages]
        means: list[list[float]] = [[] for _ in space.stages]
        for index, layer in enumerate(space.layers):
            names = list(layer.blocks)
            values = [costs.layers[index][name] if costs else 0.0 for name in names]
            largest = max(-rate * value for value in values)  # so that nothing overflows
            weights = [math.exp(-rate * value - largest) for value in values]
            self.layers[layer.stage].append((names, weights))
            log_sums[layer.stage].append(largest + math.log(sum(weights)))
            means[layer.stage].append(_mean(weights, values))
        for number, stage in enumerate(space.stages):
            logs = [sum(log_sums[number][:depth]) for depth in stage.depths]
            weights = [math.exp(log - max(logs)) for log in logs]
            self.depths.append((stage.depths, weights))
            self.mean += _mean(weights, [sum(means[number][:depth]) for depth in stage.depths])

    def draw(self, generator: random.Random) -> tuple[tuple[str, ...], ...]:
        """Return the candidates of each stage."""
        stages = []
        for layers, (depths, weights) in zip(self.layers, self.depths, strict=True):
            (depth,) = generator.choices(depths, weights)
            stages.append(tuple(generator.choices(*layer)[0] for layer in layers[:depth]))
        return tuple(stages)


def _mean(weights: list[float], values: list[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def _rate(space: ChainSpace, costs: ChainCosts, low: float, high: float) -> float:
    """Return the rate at which the mean cost of the proposal comes within limits, by bisection."""
    without = _Proposal(space, costs, 0.0).mean
    if low <= without <= high:
        return 0.0
    end = high if without > high else low
    largest = 100 / max(max(of.values()) for of in costs.layers)
    least, most = -largest, largest  # the mean falls as the rate grows
    for _ in range(_STEPS):
        middle = (least + most) / 2
        if _Proposal(space, costs, middle).mean > end:
            least = middle
        else:
            most = middle
    return most
