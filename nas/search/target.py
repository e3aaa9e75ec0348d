"""A term of the alpha loss that aims at the cost of the decoded network.

    s_e   = the strength of edge e: its strongest operator that passes something on
    first = s_e / sum of s over the edges into the node
    keep  = the chance that e is one of two edges drawn without replacement
          = first_e + sum over f != e of first_f * s_e / (sum of s - s_f)
    q_eo  = p_eo / sum over o of p_eo, over the operators that pass something on
    E     = fixed + sum over groups and edges of keep_e * sum over o of q_eo * cost[e, o]
    loss  = weight * |r E / T - 1|,   r = (cost of the cells that would be decoded now) / E

E is exactly the mean cost of cells that are drawn in this way, and its gradient says which way
the cost moves. But decoding draws nothing, it takes the strongest; so r, which has no gradient,
calibrates E in every step to the cost that counts. The term pushes the cost down while the decoded
network is too expensive and up while it is too cheap. It is a function of the alphas alone, so
there is nothing to save in a checkpoint.

Source of the form: TF-NAS (arXiv:2008.05314), Eq. 6, with lambda = weight.
Deviation: there E is a sum over the operators of a chain; here the decoded cell keeps only some of
the edges, and the network that is built is larger than the supernet.

Shape legend: E edges, P primitives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.config.target import QUANTITIES, Target
from nas.errors import ConfigError
from nas.models.cost import CostTable
from nas.operators import get_operator
from nas.search.method import Method, Progress, strengths
from nas.supernet import Alphas

if TYPE_CHECKING:
    from nas.search.searcher import Searcher


@dataclass(frozen=True)
class TargetTerm:
    """A target, with what it needs to know of the search; a term and a monitor."""

    target: Target
    costs: CostTable
    method: Method

    def __post_init__(self) -> None:
        low, high = self.costs.bounds()
        quantity, value = self.target.quantity, self.target.value
        if not low <= value <= high:
            raise ConfigError(
                f"target: {quantity}: found {value:g}, but networks of space "
                f"{self.costs.space.name!r} have {_shown(low)} to {_shown(high)} "
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
        space = self.costs.space
        weights = strengths(self.method.distribution(alphas, progress))
        passing = [not get_operator(name).is_zero for name in space.primitives]
        return self.costs.expected(
            {
                group: chances(ops * torch.tensor(passing, device=ops.device), space.edges)
                for group, ops in weights.items()
            }
        )

    def decoded(self, alphas: Alphas, progress: Progress) -> float:
        """Return the cost of the network that would be decoded now."""
        return self.costs.of(self.method.decode(alphas, self.costs.space, progress))

    @torch.no_grad()
    def measure(self, searcher: "Searcher") -> dict[str, float]:
        """Return the expected and the decoded cost and the target, by name; see `Monitor`."""
        quantity, progress = self.target.quantity, searcher.progress
        return {
            f"{quantity}/expected": self.expected(searcher.alphas, progress).item(),
            f"{quantity}/decoded": self.decoded(searcher.alphas, progress),
            f"{quantity}/target": self.target.value,
        }


def two_sided(cost: Tensor, target: float) -> Tensor:
    """Return |E / T - 1|."""
    return (cost / target - 1).abs()


def chances(strengths: Tensor, edges: Sequence[tuple[int, int]]) -> Tensor:
    """Return the chance of each operator on each edge to be in the network, (E, P).

    Args:
        strengths: (E, P), 0 or more; 0 for operators that are never decoded.
        edges: (source, target) of each edge, node by node.
    """
    tiny = torch.finfo(strengths.dtype).tiny
    of_operators = strengths / strengths.sum(dim=1, keepdim=True).clamp_min(tiny)
    of_edges = strengths.amax(dim=1).clamp_min(tiny).log()
    sizes = [len(list(into_node)) for _, into_node in groupby(edges, key=lambda edge: edge[1])]
    keep = torch.cat([keep_chances(logits) for logits in of_edges.split(sizes)])
    return keep[:, None] * of_operators


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


def _shown(cost: float) -> str:
    return f"{cost / 1e6:.3f}e6" if cost >= 1e6 else f"{cost:.4g}"
