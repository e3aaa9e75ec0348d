"""GDAS: each step draws one operator an edge and runs nothing else.

    g = -log(E), E ~ Exp(1)                                one draw a group and step
    p = softmax((log_softmax(alpha) + g) / tau)
    h = onehot(argmax p) - stopgrad(p) + p                 value one-hot, gradient of p
    edge(x) = h_i * op_i(x),  i = argmax p
    tau     = tau_max - (tau_max - tau_min) * epoch / (epochs - 1)

So d loss/d alpha_k = <d loss/d edge, op_i(x)> * p_i * (1[k = i] - p_k) / tau. The weights move
first, then the alphas, each with a separate draw of the same alphas.

With `sampler=reinmax` the draw is the same and its gradient is that of ReinMax, G = d loss/d h:

    p0 = softmax(alpha),  p1 = (softmax(alpha / tau) + onehot(i)) / 2
    d loss/d alpha = 2 J(p1) G - J(p0) G / 2,  J(p) v = p * (v - <p, v>)

Its temperature must never fall below 1. ReinMax is of second order where G is known for every
operator; here only the drawn one runs and the others have G = 0, so that it is a heuristic.

Source: GDAS (arXiv:1910.04465), Sec. 3, and its code (D-X-Y/AutoDL-Projects f46486e).
Source: ReinMax (arXiv:2304.08612), Alg. 2, and its code (microsoft/ReinMax).
Deviation: the code draws while measuring too; here a measurement runs the most likely operator of
each edge, so that it has no noise.
Deviation: the code clips the gradients of weights and alphas together; here the alphas' gradients
are not clipped, as in DARTS. Its SGD is Nesterov's; ours is not.
Deviation: in the space of NAS-Bench-201 the code adds to each edge the other entries of h as
scalars: their value is 0, but each adds the sum of d loss/d edge to its gradient. Here the edge is
the one above in every space.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError, close_matches, shown
from nas.runtime.compute import Batch
from nas.search.decode import decode_pairs
from nas.search.kind import Found
from nas.search.method import Method, Noise, Progress
from nas.search.registry import register_method
from nas.search.sampling import Chosen, gumbel_noise, gumbel_softmax, reinmax, to_host
from nas.search.searcher import Searcher
from nas.space import SearchSpace, Space
from nas.supernet import Alphas, ArchWeights, EdgeWeights

SAMPLERS = ("gumbel", "reinmax")


@register_method("gdas", source="GDAS (arXiv:1910.04465), Sec. 3")
@dataclass(frozen=True)
class Gdas(Method):
    """Gradient-based search with a differentiable sampler."""

    tau_max: float = 10.0
    """Temperature of the first epoch."""
    tau_min: float = 0.1
    """Temperature of the last epoch; it falls linearly."""
    sampler: str = "gumbel"
    """The gradient of a draw: gumbel, or reinmax, which needs a tau_min of 1 or more."""

    orders: ClassVar = ("first_order",)
    runs_all_operators: ClassVar = False
    mixes_operators: ClassVar = False

    def __post_init__(self) -> None:
        if not 0 < self.tau_min <= self.tau_max:
            raise ConfigError(
                f"tau_min: expected a number above 0 and at most tau_max {self.tau_max:g}, "
                f"found {self.tau_min:g}"
            )
        if self.sampler not in SAMPLERS:
            raise ConfigError(
                f"sampler: found {shown(self.sampler)}; {close_matches(self.sampler, SAMPLERS)}"
            )

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse a temperature that ReinMax does not allow."""
        super().check(config, space)
        if self.sampler == "reinmax":
            for epoch in range(config.epochs):
                tau = self.tau(Progress(epoch, config.epochs))
                if tau < 1 - 1e-9:
                    raise ConfigError(
                        f"method: gdas: tau_min: sampler reinmax needs a temperature of 1 or more, "
                        f"but it falls to {tau:.4g} in epoch {epoch} (from 0) of {config.epochs}; "
                        "use tau_min=1 or more"
                    )

    def tau(self, progress: Progress) -> float:
        """Return the temperature of an epoch."""
        done = progress.epoch / max(progress.epochs - 1, 1)
        return self.tau_max - (self.tau_max - self.tau_min) * done

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise:
        """Draw Gumbel noise, (E, P) for each group."""
        return gumbel_noise(alphas, generator)

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return one-hot weights with the gradient of p, and which operators they choose."""
        p = self.p(alphas, progress, noise)
        return self.one_hots(alphas, progress, noise, to_host([p])[0])

    def p(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> dict[str, Tensor]:
        """Return p of each group, (E, P); without noise softmax(alpha)."""
        if noise is None:
            return {group: alphas.softmax(group) for group in alphas.groups}
        tau = self.tau(progress)
        return {
            group: gumbel_softmax(alphas.logits_of(group), noise[group], tau)
            for group in alphas.groups
        }

    def one_hots(
        self, alphas: Alphas, progress: Progress, noise: Noise | None, chosen: Chosen
    ) -> ArchWeights:
        """Return the weights of a draw whose operators are on the host already."""
        weights = {}
        for group, p in self.p(alphas, progress, noise).items():
            through = None
            if noise is not None and self.sampler == "reinmax":
                through = reinmax(alphas.logits_of(group), hard_of(p), self.tau(progress))
            weights[group] = one_hot(p, through, chosen[group])
        return weights

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move the weights first, then the alphas, each with its draw.

        Both draws are of the same alphas, so their operators go to the host together.
        """
        alphas, progress = searcher.alphas, searcher.progress
        noises = [searcher.draw(), searcher.draw()]
        with torch.no_grad():
            chosen = to_host([self.p(alphas, progress, noise) for noise in noises])
            for_weights = self.one_hots(alphas, progress, noises[0], chosen[0])
        searcher.weight_step(train_batch, for_weights)
        searcher.alpha_step(
            train_batch,
            arch_weights=lambda: self.one_hots(alphas, progress, noises[1], chosen[1]),
        )

    def decode(self, alphas: Alphas, space: Space, progress: Progress) -> Found:
        """Keep the two strongest (operator, input) pairs of each node, or one on every edge."""
        if space.kind.edges_per_node is None:
            return super().decode(alphas, space, progress)
        assert isinstance(space, SearchSpace)
        weights = self.distribution(alphas, progress)
        return decode_pairs({group: w.ops for group, w in weights.items()}, space)

    def decode_rule(self, space: Space) -> str:
        """Return the rule of `decode` in words."""
        if space.kind.edges_per_node is None:
            return space.kind.decode_rule
        return "per node the two strongest pairs of operator and input"

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return the temperature."""
        return {"tau": self.tau(progress)}


def one_hot(
    p: Tensor, through: Tensor | None = None, chosen: tuple[int, ...] | None = None
) -> EdgeWeights:
    """Return onehot(argmax p) with the gradient of another tensor.

    Args:
        p: (E, P).
        through: What gets the gradient, (E, P); None is p.
        chosen: argmax p on the host; None moves it there.
    """
    soft = p if through is None else through
    if chosen is None:
        chosen = to_host([{"": p}])[0][""]
    return EdgeWeights(hard_of(p) - soft.detach() + soft, chosen=chosen)


def hard_of(p: Tensor) -> Tensor:
    """Return onehot(argmax p), (E, P), without a gradient."""
    return torch.zeros_like(p).scatter_(1, p.argmax(dim=1, keepdim=True), 1.0)
