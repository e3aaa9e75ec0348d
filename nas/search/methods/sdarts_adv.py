"""SDARTS-ADV: the weight step sees the worst architecture weights nearby.

    alpha step     at softmax(alpha), as in DARTS
    p              = clip(softmax(alpha) + U(-epsilon, epsilon))       with a random start
    `steps` times  p = p + 2 * epsilon / steps * sign(d L_train(p) / dp)
                   p = clip(a + clamp(p - a, -epsilon, epsilon)),      a = softmax(alpha)
    weight step    at p, or at a if the loss at p is smaller
    epsilon        = epsilon_first + (epsilon - epsilon_first) * epoch / epochs

The attack sees the training batch of the step and runs with the running statistics of the
BatchNorms, which it does not change. It costs steps + 2 forward and `steps` backward passes.

Source: SmoothDARTS (arXiv:2002.05283), Sec. 3.2, and its code (xiangning-chen/SmoothDARTS d3dbfed).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.errors import ConfigError
from nas.runtime.compute import Batch
from nas.search.method import Method, Noise, Progress
from nas.search.perturbation import Points, check_epsilon, clip, epsilon_of, uniform_noise
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.supernet import Alphas, EdgeWeights

Loss = Callable[[Points, bool], tuple[Tensor, Points]]
"""Called with weights and whether their gradient is needed; returns the loss and the gradient."""


@register_method("sdarts_adv", source="SmoothDARTS (arXiv:2002.05283), Sec. 3.2")
@dataclass(frozen=True)
class SdartsAdv(Method):
    """DARTS whose weights are trained at adversarially perturbed architecture weights."""

    epsilon: float = 0.3
    """Size of the perturbation towards the end of the search."""
    epsilon_first: float = 0.03
    """Size of the perturbation in the first epoch."""
    steps: int = 7
    """Steps of the attack."""
    random_start: bool = True
    """Whether the attack starts at a random point of the box."""

    orders: ClassVar = ("first_order",)  # all experiments of the authors

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.epsilon_first)
        if self.steps < 1:
            raise ConfigError(f"steps: expected 1 or more, found {self.steps}")

    def attack(
        self, loss: Loss, alphas: Alphas, epsilon: float, noise: Noise | None
    ) -> tuple[Points, list[Tensor]]:
        """Look for the weights near softmax(alpha) at which the loss is largest.

        Args:
            loss: Of weights of operators.
            alphas: Where the attack is centered.
            epsilon: Size of the box.
            noise: In [-1, 1), for a random start; None starts at the center.

        Returns:
            The weights, and the losses: at the center, at the start of each step, at the end.
        """
        center = {group: alphas.softmax(group).detach() for group in alphas.groups}
        before, _ = loss(center, False)
        losses = [before]
        point: Points = center
        if noise is not None:
            point = clip({g: a + epsilon * noise[g] for g, a in center.items()}, alphas)
        for _ in range(self.steps):
            value, gradient = loss(point, True)
            losses.append(value)
            moved = {}
            for group, a in center.items():
                up = gradient[group].sign().nan_to_num() * alphas.mask(group)
                step = point[group] + 2 * epsilon / self.steps * up
                moved[group] = a + (step - a).clamp(-epsilon, epsilon)
            point = clip(moved, alphas)
        after, _ = loss(point, False)
        losses.append(after)
        is_center = before > after
        return {g: torch.where(is_center, a, point[g]) for g, a in center.items()}, losses

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move the alphas as DARTS does, then the weights at the worst weights nearby."""
        searcher.alpha_step(train_batch)
        noise = uniform_noise(searcher.alphas, searcher.generator) if self.random_start else None
        epsilon = epsilon_of(searcher.progress, self.epsilon, self.epsilon_first)
        searcher.net.eval()
        point, _ = self.attack(
            lambda point, needs_gradient: loss_at(searcher, train_batch, point, needs_gradient),
            searcher.alphas,
            epsilon,
            noise,
        )
        searcher.net.train()
        searcher.weight_step(train_batch, {group: EdgeWeights(ops) for group, ops in point.items()})

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return epsilon."""
        return {"epsilon": epsilon_of(progress, self.epsilon, self.epsilon_first)}


def loss_at(
    searcher: Searcher, batch: Batch, point: Points, needs_gradient: bool
) -> tuple[Tensor, Points]:
    """Return the loss of a batch and its gradient by the weights, both means over the ranks.

    The gradient is scaled as that of the weight step is; its signs are those of the loss.
    """
    leaves = {
        group: values.detach().clone().requires_grad_(needs_gradient)
        for group, values in point.items()
    }
    gradient = {group: torch.zeros_like(values) for group, values in point.items()}
    total = torch.zeros((), device=searcher.device)
    arch_weights = {group: EdgeWeights(ops) for group, ops in leaves.items()}
    with torch.set_grad_enabled(needs_gradient):
        for (images, targets), share in searcher.compute.split(batch):
            with searcher.compute.autocast():
                loss = share * searcher.loss(searcher.net(images, arch_weights), targets)
            total = total + loss.detach()
            if needs_gradient:
                scaled = searcher.weight_scaler.scale(loss)
                slopes = torch.autograd.grad(scaled, list(leaves.values()))
                for group, slope in zip(gradient, slopes, strict=True):
                    gradient[group] += slope
    searcher.ranks.mean_([total, *gradient.values()])
    return total, gradient
