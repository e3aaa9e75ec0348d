"""What the two perturbations of SmoothDARTS have in common.

Both move the weights after the softmax, inside a box of size epsilon, and clip each row back to
numbers from 0 to 1 that sum to 1.

Shape legend: E edges, P primitives.

Source: SmoothDARTS (arXiv:2002.05283) and its code (xiangning-chen/SmoothDARTS d3dbfed).
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from nas.errors import ConfigError
from nas.runtime.device import to_device
from nas.search.method import Progress
from nas.supernet import Alphas

Points = Mapping[str, Tensor]
"""Weights of operators, (E, P), by group."""


def check_epsilon(epsilon: float, epsilon_first: float) -> None:
    """Raise ConfigError unless a box can grow from `epsilon_first` to `epsilon`."""
    if not 0 < epsilon_first <= epsilon:
        raise ConfigError(
            f"epsilon_first: expected a number above 0 and at most epsilon {epsilon:g}, "
            f"found {epsilon_first:g}"
        )


def epsilon_of(progress: Progress, epsilon: float, epsilon_first: float) -> float:
    """Return epsilon_first + (epsilon - epsilon_first) * epoch / epochs."""
    return epsilon_first + (epsilon - epsilon_first) * progress.epoch / progress.epochs


def uniform_noise(alphas: Alphas, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw a number from [-1, 1) for each pair that the space has, by group; 0 for the others."""
    noise = {}
    for group in alphas.groups:
        mask = alphas.mask(group)
        drawn = 2 * torch.rand(mask.shape, generator=generator, dtype=torch.float64) - 1
        noise[group] = to_device(drawn, mask.device).to(alphas[group].dtype) * mask
    return noise


def clip_rows(values: Tensor, mask: Tensor) -> Tensor:
    """Clamp to [0, 1], then divide each row by its sum.

    A row that would be all 0 gets a 1 where it was largest. It is not the Euclidean projection on
    the simplex.

    Args:
        values: (E, P); 0 where `mask` is False.
        mask: Which pairs the space has, (E, P).
    """
    clamped = values.clamp(0, 1)
    largest = values.masked_fill(~mask, -torch.inf).argmax(dim=1, keepdim=True)
    only_largest = torch.zeros_like(values).scatter_(1, largest, 1.0)
    clamped = torch.where(clamped.sum(dim=1, keepdim=True) == 0, only_largest, clamped)
    return clamped / clamped.sum(dim=1, keepdim=True)


def clip(points: Points, alphas: Alphas) -> dict[str, Tensor]:
    """Return `clip_rows` of each group."""
    return {group: clip_rows(values, alphas.mask(group)) for group, values in points.items()}
