"""A term of the alpha loss that aims at the cost of the decoded network; here of cells.

`nas.search.chain_target` has E of a chain; the rest is the same.

    l_eo  = log of the weight of operator o on edge e, divided by a temperature
    s_e   = exp(max over o of l_eo): its strongest operator that passes something on
    first = s_e / sum of s over the edges into the node
    keep  = the chance that e is one of two edges drawn without replacement
          = first_e + sum over f != e of first_f * s_e / (sum of s - s_f)
    q_eo  = softmax over o of l_eo, over the operators that pass something on
    E     = fixed + sum over groups and edges of keep_e * sum over o of q_eo * cost[e, o]
    loss  = weight * |r E / T - 1|,   r = (cost of the cells that would be decoded now) / E
            rounded where it is below 0.1; see `two_sided`

E is exactly the mean cost of cells that are drawn in this way, and its gradient says which way
the cost moves. But decoding draws nothing, it takes the strongest; so r, which has no gradient,
calibrates E in every step to the cost that counts. The term pushes the cost down while the decoded
network is too expensive and up while it is too cheap. It is a function of the alphas alone, so
there is nothing to save in a checkpoint.

The temperature is half the mean margin (in logs) by which the strongest wins, so that E draws
mostly what decoding takes, and its gradient moves the decisions that are closest to a tie. At a
temperature of 1 and nearly equal weights it would move all of them at once, and the decoded cost
would swing around the target. For the same reason the loss is a parabola near the target: the push
fades as the cost comes near.

Source of the form: TF-NAS (arXiv:2008.05314), Eq. 6, with lambda = weight.
Deviation: there E is a sum over the operators of a chain; here the decoded cell keeps only some of
the edges, and the network that is built is larger than the supernet. There E has temperature 1, and
the loss is not rounded near the target.

Shape legend: E edges, P primitives.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, groupby
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from nas.config.target import QUANTITIES, Target
from nas.errors import ConfigError, shown_range
from nas.genotype import Genotype
from nas.models.cost import CostTable
from nas.operators import NUM_DECODED_EDGES, get_operator
from nas.runtime.device import all_to_host, to_device
from nas.search.method import Method, Progress, strengths
from nas.space import Space
from nas.supernet import Alphas

if TYPE_CHECKING:
    from nas.search.searcher import Searcher

ROUNDED = 0.1
"""The relative distance from the target below which the loss is a parabola."""
TINY = 1e-30
"""A strength of at most this is that of an operator that is never decoded."""
NEVER = -1e4
"""The logit of such an operator: finite, so that an edge without others has chances too."""
SMALLEST = 1e-6
"""The lowest temperature."""


class Costs(Protocol):
    """What networks of a space cost, in one unit."""

    @property
    def space(self) -> Space:
        """The space."""
        ...

    def bounds(self) -> tuple[float, float]:
        """Return the lowest and the highest cost of a network of the space."""
        ...


@dataclass(frozen=True)
class CostTerm(ABC):
    """A target, with what it needs to know of the search; a term and a monitor."""

    target: Target
    costs: Costs
    method: Method

    def __post_init__(self) -> None:
        low, high = self.costs.bounds()
        quantity, value = self.target.quantity, self.target.value
        if not low <= value <= high:
            raise ConfigError(
                f"target: {quantity}: found {value:g}, but networks of space "
                f"{self.costs.space.name!r} have {shown_range(low, high)} "
                f"{QUANTITIES[quantity]}; choose a number in this range"
            )

    def __call__(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return the term, a scalar."""
        if progress.epoch < self.target.warmup_epochs:
            return torch.zeros((), device=next(alphas.parameters()).device)
        expected = self.expected(alphas, progress)
        ratio = self.decoded(alphas, progress) / expected.detach()
        return self.target.weight * two_sided(ratio * expected, self.target.value)

    def expected(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return E, a scalar that is differentiable in the alphas."""
        return self.mean_cost(self.logits(alphas, progress))

    @abstractmethod
    def logits(self, alphas: Alphas, progress: Progress) -> dict[str, Tensor]:
        """Return l of each group, (E, P); `NEVER` for what is never decoded."""

    @abstractmethod
    def mean_cost(self, logits: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cost of networks that are drawn by logits of each group, (E, P)."""

    @abstractmethod
    def decoded(self, alphas: Alphas, progress: Progress) -> float:
        """Return the cost of the network that would be decoded now."""

    @torch.no_grad()
    def measure(self, searcher: "Searcher") -> dict[str, float]:
        """Return the expected and the decoded cost and the target, by name; see `Monitor`."""
        quantity, progress = self.target.quantity, searcher.progress
        return {
            f"{quantity}/expected": self.expected(searcher.alphas, progress).item(),
            f"{quantity}/decoded": self.decoded(searcher.alphas, progress),
            f"{quantity}/target": self.target.value,
        }


@dataclass(frozen=True)
class TargetTerm(CostTerm):
    """A target of a search of cells."""

    costs: CostTable

    def logits(self, alphas: Alphas, progress: Progress) -> dict[str, Tensor]:
        """Return l of each group, (E, P); `NEVER` for operators that are never decoded."""
        space = self.costs.space
        of_groups = strengths(self.method.distribution(alphas, progress))
        passing = torch.tensor([not get_operator(name).is_zero for name in space.primitives])
        passing = to_device(passing, next(iter(of_groups.values())).device)
        of_passing = {group: ops * passing for group, ops in of_groups.items()}
        on_host = all_to_host(of_passing)
        logits = {}
        for group, ops in of_passing.items():
            logs = ops.clamp_min(TINY).log() / temperature(on_host[group], space.edges)
            logits[group] = logs.masked_fill(ops <= TINY, NEVER)
        return logits

    def mean_cost(self, logits: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cost of cells that are drawn by logits of each group, (E, P)."""
        edges = self.costs.space.edges
        return self.costs.expected({group: chances(of, edges) for group, of in logits.items()})

    def decoded(self, alphas: Alphas, progress: Progress) -> float:
        """Return the cost of the network that would be decoded now."""
        cells = self.method.decode(alphas, self.costs.space, progress)
        assert isinstance(cells, Genotype)
        return self.costs.of(cells)


def two_sided(cost: Tensor, target: float, rounded: float = ROUNDED) -> Tensor:
    """Return |x| - rounded / 2, and x^2 / (2 rounded) where |x| < rounded; x = E / T - 1."""
    return smooth_l1_loss(cost / target, torch.ones_like(cost), beta=rounded)


def temperature(strengths: Tensor, edges: Sequence[tuple[int, int]]) -> float:
    """Return half the mean margin, in logs, of the decisions that decoding takes; above 0.

    Args:
        strengths: (E, P), 0 for operators that are never decoded; without a graph, on the CPU,
            where reading numbers waits for nothing.
        edges: (source, target) of each edge, node by node.
    """
    ordered = strengths.clamp_min(TINY).log().sort(dim=1, descending=True).values
    margins = margins_of_rows(strengths)
    for node in by_node(ordered[:, 0], edges):
        if len(node) > NUM_DECODED_EDGES:
            kept, dropped = node.sort(descending=True).values[NUM_DECODED_EDGES - 1 :][:2].tolist()
            margins.append(kept - dropped)
    return half_mean(margins)


def margins_of_rows(strengths: Tensor) -> list[float]:
    """Return how far, in logs, the strongest is from the second of each row that has a choice."""
    two = strengths.clamp_min(TINY).log().topk(min(2, strengths.shape[1]), dim=1).values
    leads = (two[:, 0] - two[:, -1]).tolist()
    return list(compress(leads, ((strengths > TINY).sum(dim=1) > 1).tolist()))


def half_mean(margins: Sequence[float]) -> float:
    """Return half the mean margin, a temperature above 0; 1 where nothing is decided."""
    return max(fmean(margins) / 2, SMALLEST) if margins else 1.0


def chances(logits: Tensor, edges: Sequence[tuple[int, int]]) -> Tensor:
    """Return the chance of each operator on each edge to be in the network, (E, P).

    Args:
        logits: (E, P); `NEVER` for operators that are never decoded.
        edges: (source, target) of each edge, node by node.
    """
    keep = torch.cat([keep_chances(node) for node in by_node(logits.amax(dim=1), edges)])
    return keep[:, None] * logits.softmax(dim=1)


def by_node(of_edges: Tensor, edges: Sequence[tuple[int, int]]) -> tuple[Tensor, ...]:
    """Split numbers of edges, (E,), into those of the edges into each node."""
    return of_edges.split([len(list(node)) for _, node in groupby(edges, key=lambda edge: edge[1])])


def keep_chances(logits: Tensor) -> Tensor:
    """Return the chance of each edge to be among two that are drawn without replacement.

    Args:
        logits: log s of the edges into a node, (n,); n is 2 or more.
    """
    n = len(logits)
    first = logits.softmax(dim=0)
    # Row f: what is drawn second, if f was first.
    same = torch.eye(n, dtype=torch.bool, device=logits.device)
    second = logits.expand(n, n).masked_fill(same, -torch.inf).softmax(dim=1)
    return first + first @ second
