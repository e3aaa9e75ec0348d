"""GDAS: each step draws one operator an edge and runs nothing else.

    g = -log(E), E ~ Exp(1)                                one draw a group and step
    p = softmax((log_softmax(alpha) + g) / tau)
    h = onehot(argmax p) - stopgrad(p) + p                 value one-hot, gradient of p
    edge(x) = h_i * op_i(x),  i = argmax p
    tau     = tau_max - (tau_max - tau_min) * epoch / (epochs - 1)

So d loss/d alpha_k = <d loss/d edge, op_i(x)> * p_i * (1[k = i] - p_k) / tau. The weights move
first, then the alphas, each with a separate draw.

Source: GDAS (arXiv:1910.04465), Sec. 3, and its code (D-X-Y/AutoDL-Projects f46486e).
Deviation: the code draws while measuring too; here a measurement runs the most likely operator of
each edge, so that it has no noise.
Deviation: the code clips the gradients of weights and alphas together; here the alphas' gradients
are not clipped, as in DARTS. Its SGD is Nesterov's; ours is not.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.runtime.compute import Batch
from nas.search.decode import decode_pairs
from nas.search.method import Method, Noise, Progress
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.space import SearchSpace
from nas.supernet import Alphas, ArchWeights, EdgeWeights


@register_method("gdas", source="GDAS (arXiv:1910.04465), Sec. 3")
@dataclass(frozen=True)
class Gdas(Method):
    """Gradient-based search with a differentiable sampler."""

    tau_max: float = 10.0
    """Temperature of the first epoch."""
    tau_min: float = 0.1
    """Temperature of the last epoch; it falls linearly."""

    orders: ClassVar = ("first_order",)
    runs_all_operators: ClassVar = False

    def __post_init__(self) -> None:
        if not 0 < self.tau_min <= self.tau_max:
            raise ConfigError(
                f"tau_min: expected a number above 0 and at most tau_max {self.tau_max:g}, "
                f"found {self.tau_min:g}"
            )

    def tau(self, progress: Progress) -> float:
        """Return the temperature of an epoch."""
        done = progress.epoch / max(progress.epochs - 1, 1)
        return self.tau_max - (self.tau_max - self.tau_min) * done

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise:
        """Draw Gumbel noise, (E, P) for each group."""
        return {
            group: -torch.empty(alphas[group].shape).exponential_(generator=generator).log()
            for group in alphas.groups
        }

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return one-hot weights with the gradient of p, and which operators they choose."""
        if noise is None:
            return {group: one_hot(alphas.softmax(group)) for group in alphas.groups}
        tau = self.tau(progress)
        return {
            group: one_hot(gumbel_softmax(alphas.logits_of(group), noise[group], tau))
            for group in alphas.groups
        }

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move the weights first, then the alphas."""
        searcher.weight_step(train_batch)
        searcher.alpha_step(train_batch)

    def decode(self, alphas: Alphas, space: SearchSpace, progress: Progress) -> Genotype:
        """Keep the two strongest (operator, input) pairs of each node."""
        weights = self.distribution(alphas, progress)
        return decode_pairs({group: w.ops for group, w in weights.items()}, space)

    def decode_rule(self) -> str:
        """Return the rule of `decode` in words."""
        return "per node the two strongest pairs of operator and input"

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return the temperature."""
        return {"tau": self.tau(progress)}


def gumbel_softmax(logits: Tensor, noise: Tensor, tau: float) -> Tensor:
    """Return p = softmax((log_softmax(logits) + noise) / tau), (E, P).

    Computed in fp32 at least: at a low tau the argument has more digits than half precision.
    """
    exact = logits if logits.dtype == torch.float64 else logits.float()
    return ((exact.log_softmax(dim=1) + noise.to(exact)) / tau).softmax(dim=1)


def one_hot(p: Tensor) -> EdgeWeights:
    """Return onehot(argmax p) with the gradient of p; p is (E, P)."""
    index = p.argmax(dim=1, keepdim=True)
    hard = torch.zeros_like(p).scatter_(1, index, 1.0)
    return EdgeWeights(hard - p.detach() + p, chosen=tuple(index.flatten().tolist()))
