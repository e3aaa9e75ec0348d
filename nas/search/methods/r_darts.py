"""R-DARTS: DARTS with drop path in the supernet, or with more weight decay.

    edge(x) = mask / (1 - p) * sum over q of softmax(alpha)_q * op_q(x),   a mask per edge and image
    p       = drop_path * epoch / (epochs - 1)

The paper ties the collapse of DARTS to sharp minima of the alphas; both kinds of regularization
lead to flatter ones. The other kind, R-DARTS(L2), is this method with drop_path=0 and a larger
`weight_decay` of the weights: the authors try 3, 9, 27, 81 and 243 times 1e-4.

The masks follow from one seed per step, so all passes of a second-order step drop the same.

Source: Robust DARTS (arXiv:1909.09656), Sec. 5, and its code (automl/RobustDARTS 3dec3fe).
Deviation: the code also ramps up the probability of cutout; here the images are not cut.
Deviation: micro-batches and the shares of several processes have the same masks in an alpha step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.search.method import Method, Noise, Progress
from nas.search.registry import register_method
from nas.space import Space
from nas.supernet import Alphas, ArchWeights, Edge, EdgeRow, MixedEdge
from nas.supernet.arch_weights import PathDrop
from nas.supernet.shared_edges import SourceState


@register_method("r_darts", source="Robust DARTS (arXiv:1909.09656), Sec. 5")
@dataclass(frozen=True)
class RDarts(Method):
    """DARTS with drop path on every edge; raise weight_decay for its other form."""

    drop_path: float = 0.2
    """Probability of the last epoch that an edge passes nothing on for an image."""

    def __post_init__(self) -> None:
        if not 0 <= self.drop_path < 1:
            raise ConfigError(f"drop_path: expected 0 or more, below 1, found {self.drop_path:g}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """See `Method`; compiled code does not follow the generators of the masks."""
        super().check(config, space)
        if self.drop_path and config.compile not in ("auto", "off"):
            raise ConfigError(
                f"compile: found {config.compile}, but compiled code cannot draw the masks of "
                "drop path; use off"
            )

    def probability(self, progress: Progress) -> float:
        """Return the probability of an epoch."""
        return self.drop_path * progress.epoch / max(progress.epochs - 1, 1)

    def build_edge(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ) -> Edge:
        """Build the edge with drop path."""
        return DropEdge(MixedEdge(on_edge, primitives, channels, stride))

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise | None:
        """Draw the seeds of the masks, one for each group."""
        if self.probability(progress) == 0:
            return None
        return {group: torch.randint(2**62, (), generator=generator) for group in alphas.groups}

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return softmax(alpha), with drop path where there are seeds."""
        weights = self.distribution(alphas, progress)
        if noise is None:
            return weights
        p = self.probability(progress)
        return {
            group: of_group._replace(drop=PathDrop(p, int(noise[group])))
            for group, of_group in weights.items()
        }

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return the probability."""
        return {"drop_path": self.probability(progress)}


class DropEdge(Edge):
    """A mixed edge with drop path on its sum."""

    keeps_row = True

    def __init__(self, mixed: MixedEdge):
        super().__init__()
        self.inner = mixed

    @property
    def mixed(self) -> MixedEdge:
        """The edge without drop path."""
        return self.inner

    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """Return the mixture, dropped for some images."""
        edge = self.inner(x, row)
        return edge if row.drop is None else row.drop(edge)

    def add_to(self, total: Tensor | None, state: SourceState, row: EdgeRow) -> Tensor | None:
        """Add the mixture, as a separate tensor where it can be dropped."""
        if row.drop is None:
            return self.inner.add_to(total, state, row)
        edge = self.inner.add_to(None, state, row)
        if edge is None:
            return total
        edge = row.drop(edge)
        return edge if total is None else total.add_(edge)
