"""The expected cost of a chain, for a target; see `nas.search.target` for the term.

    l_rk  = log of the weight of column k of row r, divided by a temperature of its group
    p_lk  = softmax over the candidates k of layer l
    q_sd  = softmax over the depths d of stage s
    E     = fixed + sum over layers l of (sum over depths d of its stage that have it of q_sd)
            * sum over k of p_lk * cost[l, k]

E is exactly the mean cost of networks whose rows are drawn one by one, because a choice in one
layer changes nothing in another; the decoded network is one of them. As for cells, the temperature
is half the mean margin by which the strongest of a row wins.

Source: TF-NAS (arXiv:2008.05314), Eq. 5 and 6.

Shape legend: L layers, S stages, K candidates, D depths of the space.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nas.genotype import Chain
from nas.runtime.device import all_to_host, to_device
from nas.search.method import Progress, strengths
from nas.search.target import NEVER, TINY, CostTerm, half_mean, margins_of_rows
from nas.space.chain import DEPTHS, LAYERS
from nas.space.chain_cost import ChainCosts
from nas.supernet import Alphas


@dataclass(frozen=True)
class ChainTargetTerm(CostTerm):
    """A target of a search of a chain."""

    costs: ChainCosts

    @cached_property
    def table(self) -> Tensor:
        """The cost of each candidate in each layer, (L, K); 0 where it is none."""
        names = self.costs.space.candidates
        rows = [[of_layer.get(name, 0.0) for name in names] for of_layer in self.costs.layers]
        return torch.tensor(rows, dtype=torch.float64)

    @cached_property
    def has_layer(self) -> Tensor:
        """Whether a layer is in a stage of each depth, (L, S, D), 0 or 1; 0 in other stages."""
        space = self.costs.space
        stages = range(len(space.stages))
        rows = [
            [[layer.stage == s and depth > layer.index for depth in space.depths] for s in stages]
            for layer in space.layers
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def logits(self, alphas: Alphas, progress: Progress) -> dict[str, Tensor]:
        """Return l of each group, (L, K) and (S, D); `NEVER` where the space has no pair."""
        of_groups = strengths(self.method.distribution(alphas, progress))
        on_host = all_to_host(of_groups)
        logits = {}
        for group, ops in of_groups.items():
            margins = margins_of_rows(on_host[group])
            logs = ops.clamp_min(TINY).log() / half_mean(margins)
            logits[group] = logs.masked_fill(ops <= TINY, NEVER)
        return logits

    def mean_cost(self, logits: Mapping[str, Tensor]) -> Tensor:
        """Return the mean cost of networks that are drawn by logits, (L, K) and (S, D)."""
        p, q = logits[LAYERS].softmax(dim=1), logits[DEPTHS].softmax(dim=1)
        has_layer, table = (to_device(x, p.device).to(p) for x in (self.has_layer, self.table))
        exists = (q * has_layer).sum(dim=(1, 2))
        return self.costs.fixed + (exists * (p * table).sum(dim=1)).sum()

    def decoded(self, alphas: Alphas, progress: Progress) -> float:
        """Return the cost of the network that would be decoded now."""
        chain = self.method.decode(alphas, self.costs.space, progress)
        assert isinstance(chain, Chain)
        return self.costs.of(chain.stages)
