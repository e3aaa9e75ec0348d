"""DARTS-: an auxiliary skip connection on every edge, whose weight falls to 0 during the search.

    edge(x) = beta * aux(x) + sum over p of softmax(alpha)_p * op_p(x)
    beta    = first * (1 - epoch / epochs)                       linear
              first * (1 + cos(pi * epoch / epochs)) / 2         cosine
              first * cos(pi * epoch / (2 * epochs))             slow_cosine
              first                                              constant

aux is the identity, or at stride 2 a FactorizedReduce with separate weights. It takes over what a
skip connection does for the training of the supernet, so that the softmax weight of the learnable
skip connection tells how good that operator is. beta holds in every pass: weight steps, alpha steps
and measurements. Decoding ignores the auxiliary skip.

Source: DARTS- (arXiv:2009.01027), Sec. 3, and its code (Meituan-AutoML/DARTS- adb81a8).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nas.errors import ConfigError, close_matches, shown
from nas.layers import FactorizedReduce
from nas.search.method import Method, Progress
from nas.search.registry import register_method
from nas.supernet import Alphas, ArchWeights, Edge, EdgeRow, EdgeWeights, MixedEdge
from nas.supernet.shared_edges import SourceState

SCHEDULES = ("linear", "cosine", "slow_cosine", "constant")


@register_method("darts_minus", source="DARTS- (arXiv:2009.01027), Sec. 3")
@dataclass(frozen=True)
class DartsMinus(Method):
    """DARTS with an auxiliary skip connection that fades out."""

    beta: float = 1.0
    """Weight of the auxiliary skip in the first epoch."""
    schedule: str = "linear"
    """linear, cosine, slow_cosine or constant."""

    orders: ClassVar = ("first_order",)  # the second order of the code does not run

    def __post_init__(self) -> None:
        if self.beta < 0:
            raise ConfigError(f"beta: expected 0 or more, found {self.beta:g}")
        if self.schedule not in SCHEDULES:
            raise ConfigError(
                f"schedule: found {shown(self.schedule)}; {close_matches(self.schedule, SCHEDULES)}"
            )

    def beta_of(self, progress: Progress) -> float:
        """Return beta of an epoch."""
        done = progress.epoch / progress.epochs
        factor = {
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "slow_cosine": math.cos(math.pi * done / 2),
            "constant": 1.0,
        }
        return self.beta * factor[self.schedule]

    def build_edge(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ) -> Edge:
        """Build the edge with its auxiliary skip."""
        return AuxiliaryEdge(MixedEdge(on_edge, primitives, channels, stride), channels, stride)

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:
        """Return softmax(alpha), and beta."""
        beta = self.beta_of(progress)
        return {
            group: EdgeWeights(alphas.softmax(group), auxiliary=beta) for group in alphas.groups
        }

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return beta."""
        return {"beta": self.beta_of(progress)}


class AuxiliaryEdge(Edge):
    """A mixed edge plus a weighted skip connection."""

    keeps_row = True

    def __init__(self, mixed: MixedEdge, channels: int, stride: int):
        super().__init__()
        self.inner = mixed
        self.auxiliary: nn.Module = (
            nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=False)
        )
        self.stride = stride

    @property
    def mixed(self) -> MixedEdge:
        """The edge without the auxiliary skip."""
        return self.inner

    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """Return row.auxiliary * aux(x) + the mixture."""
        return row.auxiliary * self.auxiliary(x) + self.inner(x, row)

    def add_to(self, total: Tensor | None, state: SourceState, row: EdgeRow) -> Tensor:
        """Add the mixture, and the skip; at stride 1 all edges of the state add the same tensor."""
        total = self.inner.add_to(total, state, row)
        skip = (
            state.once("auxiliary", lambda: row.auxiliary * state.x)
            if self.stride == 1
            else row.auxiliary * self.auxiliary(state.x)
        )
        return skip.clone() if total is None else total.add_(skip)
