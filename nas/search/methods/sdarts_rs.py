"""SDARTS-RS: the weight step sees randomly perturbed architecture weights.

    alpha step     at softmax(alpha), as in DARTS
    weight step    at clip(softmax(alpha) + U(-epsilon, epsilon))
    epsilon        = epsilon_first + (epsilon - epsilon_first) * epoch / epochs

The weights so learn to work around the present architecture too, which smooths the loss as a
function of the architecture. epsilon 0.3 is above a uniform weight of 1/7: most rows become sparse.

Source: SmoothDARTS (arXiv:2002.05283), Sec. 3.2, and its code (xiangning-chen/SmoothDARTS d3dbfed).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from nas.runtime.compute import Batch
from nas.search.method import Method, Noise, Progress
from nas.search.perturbation import check_epsilon, clip, epsilon_of, uniform_noise
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.supernet import Alphas, ArchWeights, EdgeWeights


@register_method("sdarts_rs", source="SmoothDARTS (arXiv:2002.05283), Sec. 3.2")
@dataclass(frozen=True)
class SdartsRs(Method):
    """DARTS whose weights are trained at randomly perturbed architecture weights."""

    epsilon: float = 0.3
    """Size of the perturbation towards the end of the search."""
    epsilon_first: float = 0.03
    """Size of the perturbation in the first epoch."""

    orders: ClassVar = ("first_order",)  # all experiments of the authors

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.epsilon_first)

    @torch.no_grad()
    def perturbed(self, alphas: Alphas, progress: Progress, noise: Noise) -> ArchWeights:
        """Return the weights of the weight step; `noise` is in [-1, 1)."""
        epsilon = epsilon_of(progress, self.epsilon, self.epsilon_first)
        moved = {group: alphas.softmax(group) + epsilon * noise[group] for group in alphas.groups}
        return {group: EdgeWeights(ops) for group, ops in clip(moved, alphas).items()}

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move the alphas as DARTS does, then the weights at perturbed alphas."""
        searcher.alpha_step(train_batch)
        noise = uniform_noise(searcher.alphas, searcher.generator)
        arch_weights = self.perturbed(searcher.alphas, searcher.progress, noise)
        searcher.weight_step(train_batch, arch_weights=arch_weights)

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return epsilon."""
        return {"epsilon": epsilon_of(progress, self.epsilon, self.epsilon_first)}
