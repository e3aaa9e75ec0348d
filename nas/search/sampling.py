"""How operators are drawn, and the gradients of the draws: Gumbel softmax and ReinMax.

Shape legend: E edges, P primitives.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import torch
from torch import Tensor

from nas.runtime.device import to_device
from nas.supernet import Alphas

Chosen = Mapping[str, tuple[int, ...]]
"""The column of the drawn operator of each edge, by group."""


def gumbel_noise(alphas: Alphas, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw g = -log(E), E ~ Exp(1), (E, P) for each group."""
    return {
        group: -torch.empty(alphas[group].shape).exponential_(generator=generator).log()
        for group in alphas.groups
    }


def gumbel_softmax(logits: Tensor, noise: Tensor, tau: float) -> Tensor:
    """Return p = softmax((log_softmax(logits) + noise) / tau), (E, P).

    Computed in fp32 at least: at a low tau the argument has more digits than half precision.
    """
    exact = logits if logits.dtype == torch.float64 else logits.float()
    noise = to_device(noise, exact.device).to(exact.dtype)
    return ((exact.log_softmax(dim=1) + noise) / tau).softmax(dim=1)


def reinmax(logits: Tensor, hard: Tensor, tau: float) -> Tensor:
    """Return a tensor, (E, P), that has the gradient of ReinMax and no meaningful value.

    Args:
        logits: (E, P), -inf where the space has no pair.
        hard: The one-hot draw, (E, P).
        tau: The temperature, 1 or more.
    """
    p0, tempered = logits.softmax(dim=1), (logits / tau).softmax(dim=1)
    finite = logits.masked_fill(logits.isinf(), 0)
    return 2 * _softmax_gradient((tempered + hard) / 2, finite) - _softmax_gradient(p0, finite) / 2


def _softmax_gradient(p: Tensor, logits: Tensor) -> Tensor:
    """Return a function of the logits whose gradient is J(p), that of a softmax of value p."""
    p = p.detach()
    return p * (logits - (p * logits).sum(dim=1, keepdim=True))


def to_host(draws: Sequence[Mapping[str, Tensor]]) -> list[Chosen]:
    """Return argmax p of every edge; the indices of all draws and groups are one transfer.

    Args:
        draws: For each draw p by group, (E, P).
    """
    columns = iter(torch.cat([p.argmax(dim=1) for draw in draws for p in draw.values()]).tolist())
    return [{group: tuple(islice(columns, len(p))) for group, p in draw.items()} for draw in draws]
