"""Terms of the alpha loss, which work with every method: L_val + the sum of all terms.

A term is a frozen dataclass, called as `term(alphas, progress)`; it returns a scalar that is
differentiable in the alphas. It never sees the network weights, so it enters the alpha step only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nas.errors import ConfigError, shown
from nas.search.method import Progress
from nas.search.registry import register_term
from nas.supernet import Alphas


class Term(Protocol):
    """What a term is called as."""

    def __call__(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return a scalar."""
        ...


def sum_of(terms: Sequence[Term], alphas: Alphas, progress: Progress) -> Tensor:
    """Return the sum of terms, a scalar.

    Raises:
        ConfigError: A term, of a plug-in for example, returns something else than a scalar tensor.
    """
    values = [term(alphas, progress) for term in terms]
    for term, value in zip(terms, values, strict=True):
        if not isinstance(value, Tensor) or value.ndim:
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else shown(value)
            raise ConfigError(
                f"term: {type(term).__name__} returned {found}; expected a tensor without "
                "dimensions, computed from the alphas"
            )
    return torch.stack(values).sum()


@register_term("beta_decay", source="beta-DARTS (arXiv:2203.01665)")
@dataclass(frozen=True)
class BetaDecay:
    """Beta decay: weight * epoch * mean over edges of log(sum over p of exp(alpha_p)).

    It regularizes the softmax weights by pushing down the largest alphas most.

    Source: beta-DARTS (arXiv:2203.01665) and its code (Sunshine-Ye/Beta-DARTS f307704), where the
    weight is 50 / 100 per epoch for any length of the run.
    Deviation: the code has one matrix of alphas. Here the mean is taken over the edges of all
    groups together; the sum of their means, which others use, is twice that for two groups.
    """

    weight: float = 0.5
    """Growth of the coefficient per epoch; it is 0 in the first epoch."""

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ConfigError(f"weight: expected 0 or more, found {self.weight:g}")

    def __call__(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return the term, a scalar."""
        rows = torch.cat([alphas.logits_of(group).logsumexp(dim=1) for group in alphas.groups])
        return self.weight * progress.epoch * rows.mean()
