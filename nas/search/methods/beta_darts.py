"""beta-DARTS: DARTS with beta decay, which keeps the softmax weights of an edge close together.

    alpha loss = L_val + weight * epoch * mean over edges of log(sum over p of exp(alpha_p))

Its gradient is softmax(alpha) / (number of edges): it pushes down the largest alphas most. The term
is `nas.search.terms.BetaDecay`, which `--term beta_decay` adds to any other method.

Source: beta-DARTS (arXiv:2203.01665) and its code (Sunshine-Ye/Beta-DARTS f307704).
Deviation: see `BetaDecay` for spaces with several matrices of alphas, which the code does not have.
"""

from dataclasses import dataclass
from typing import ClassVar

from nas.config import SearchConfig
from nas.config.choice import read_choices
from nas.errors import ConfigError
from nas.search.method import Method
from nas.search.registry import register_method
from nas.search.terms import BetaDecay, Term
from nas.space import Space


@register_method("beta_darts", source="beta-DARTS (arXiv:2203.01665), Sec. 3.2")
@dataclass(frozen=True)
class BetaDarts(Method):
    """DARTS with beta decay in the loss of the alphas."""

    weight: float = 0.5
    """Growth of the coefficient of the term per epoch; it is 0 in the first epoch."""

    orders: ClassVar = ("first_order",)  # the code leaves the term out of the second order

    def __post_init__(self) -> None:
        BetaDecay(self.weight)

    def check(self, config: SearchConfig, space: Space) -> None:
        """See `Method`; beta decay is not added twice."""
        super().check(config, space)
        if "beta_decay" in [choice.name for choice in read_choices(config.term or "", "term")]:
            raise ConfigError(
                "term: beta_decay is already part of method beta_darts; set its weight there "
                f"(method: beta_darts,weight={self.weight:g}), or use method darts"
            )

    def terms(self) -> tuple[Term, ...]:
        """Return beta decay."""
        return (BetaDecay(self.weight),)
