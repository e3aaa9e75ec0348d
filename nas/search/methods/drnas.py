"""DrNAS: every step mixes all operators by a draw from a Dirichlet distribution.

    c       = elu(alpha) + 1
    w       ~ Dirichlet(c)                                 one draw an edge, group and step
    edge(x) = sum over p of w_p * op_p(x)                  or PC-DARTS's partial edge, without beta
    L_alpha = L_val + kl * sum over all edges of KL(Dir(c) || Dir(1))

The gradient reaches the alphas through the draw, which is reparametrized. alpha = 0 is the flat
distribution Dir(1, ..., 1); the divergence pulls the alphas there, and so does Adam's weight decay,
`alpha_weight_decay`. The authors' code uses one of them, by default the weight decay, and its
published commands do not change that.

With `stages=2` the search is divided into two halves. After the first, every edge keeps the `keep`
operators of largest alpha: the other alphas become 0, a draw is still over all operators, but the
removed ones are cut off and the rest is scaled to sum to 1. Then the operators grow from C/k to
C/k2 channels (see `nas.supernet.widen`), and the alphas rest again while the weights warm up.

Source: DrNAS (arXiv:2006.10355), Sec. 3, and its code (xiangning-chen/DrNAS f2caa4d).
Deviation: the code draws while measuring too; here a measurement mixes by the mean c / c_0.
Deviation: c is at least 1e-6, below which fp32 has no draws.
Deviation: the paper ranks edges by the mean of the distribution, the code by softmax(alpha); here
`rank` chooses. The operators on the edges are the same.
Deviation: one cosine of the learning rate spans both stages. The code starts a new optimizer, whose
learning rate depends on the version of torch; here momentum grows with the weights.
Deviation: alphas of removed operators stay 0; in the code Adam may move them on, without effect on
the cells.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError, close_matches, shown
from nas.runtime.compute import Batch
from nas.search.dirichlet import (
    concentration,
    divergence_from_flat,
    mean,
    reparametrized,
    sample_dirichlet,
)
from nas.search.method import Method, Noise, Progress, Stage
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.search.stages import SecondStage, heaviest
from nas.search.terms import Term
from nas.space import SearchSpace, Space
from nas.supernet import Alphas, ArchWeights, Edge, EdgeWeights, MixedEdge
from nas.supernet.partial_edge import PartialEdge

RANKS = ("softmax", "mean")


@register_method("drnas", source="DrNAS (arXiv:2006.10355), Sec. 3")
@dataclass(frozen=True)
class DrNas(Method):
    """Mixtures drawn from a Dirichlet distribution that the alphas shape."""

    channel_fraction: int = 1
    """k: an edge mixes 1/k of its channels."""
    warmup_epochs: int = 0
    """Number of first epochs of each stage in which only the network weights move."""
    stages: int = 1
    """1, or 2 to prune and widen after half of the epochs."""
    second_fraction: int = 1
    """k2, in place of k in the second stage."""
    keep: int = 4
    """Number of operators of an edge in the second stage."""
    kl: float = 0.0
    """Coefficient of the divergence from the flat distribution; it replaces alpha_weight_decay."""
    rank: str = "softmax"
    """What ranks edges, is recorded and decoded: softmax of the alphas, or mean of the draws."""

    orders: ClassVar = ("first_order",)

    def __post_init__(self) -> None:
        if self.channel_fraction < 1:
            raise ConfigError(
                f"channel_fraction: expected 1 or more, found {self.channel_fraction}"
            )
        if self.stages not in (1, 2):
            raise ConfigError(f"stages: expected 1 or 2, found {self.stages}")
        if not 1 <= self.second_fraction <= self.channel_fraction:
            raise ConfigError(
                f"second_fraction: expected 1 to channel_fraction {self.channel_fraction}, "
                f"found {self.second_fraction}"
            )
        if self.keep < 2:
            raise ConfigError(f"keep: expected 2 or more, found {self.keep}")
        if self.stages == 1:
            for name in ("second_fraction", "keep"):
                if getattr(self, name) != getattr(DrNas, name):
                    raise ConfigError(f"{name}: has no effect without stages=2")
        if self.warmup_epochs < 0:
            raise ConfigError(f"warmup_epochs: expected 0 or more, found {self.warmup_epochs}")
        if self.kl < 0:
            raise ConfigError(f"kl: expected 0 or more, found {self.kl:g}")
        if self.rank not in RANKS:
            raise ConfigError(f"rank: found {shown(self.rank)}; {close_matches(self.rank, RANKS)}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """See `Method`; channels must divide, alphas must move, a second stage must differ."""
        super().check(config, space)
        for name in ("channel_fraction", "second_fraction"):
            if config.init_channels % getattr(self, name):
                raise ConfigError(
                    f"init_channels: expected a multiple of {name} {getattr(self, name)}, "
                    f"found {config.init_channels}"
                )
        if config.epochs < self.stages:
            raise ConfigError(
                f"epochs: expected {self.stages} or more, one for each stage of the method, found "
                f"{config.epochs}"
            )
        if self.warmup_epochs >= config.epochs // self.stages:
            of_stage = " of each stage" if self.stages == 2 else ""
            raise ConfigError(
                f"epochs: found {config.epochs}, but the alphas rest for the first "
                f"{self.warmup_epochs} epochs{of_stage}; raise epochs or lower warmup_epochs of "
                "the method"
            )
        if self.stages == 2 and config.compile not in ("auto", "off"):
            raise ConfigError(
                f"compile: found {config.compile}, but the second stage changes the network, which "
                "compiled code does not follow; use off"
            )
        if self.kl and config.alpha_weight_decay:
            raise ConfigError(
                f"alpha_weight_decay: found {config.alpha_weight_decay:g}, but kl of the method "
                "replaces it: both pull the alphas to 0; set one of them to 0"
            )
        most = max(len(on_edge) for edges in space.groups.values() for on_edge in edges)
        widens = self.second_fraction < self.channel_fraction
        if self.stages == 2 and self.keep >= most and not widens:
            raise ConfigError(
                f"method: drnas: keep: found {self.keep}, but no edge of space {space.name} has "
                f"more than {most} operators, and second_fraction equals channel_fraction, so the "
                "second stage would change nothing; lower one of the two, or use stages=1"
            )

    def make_state(self, searcher: Searcher) -> SecondStage | None:
        """Return the second stage, if there is one."""
        return SecondStage(searcher, self._second(), self.keep) if self.stages == 2 else None

    def begin_epoch(self, searcher: Searcher) -> None:
        """Begin the second stage after half of the epochs.

        One that has begun keeps its start, also if the run is resumed with more epochs.
        """
        state = searcher.method_state
        if isinstance(state, SecondStage) and state.start is None:
            if searcher.epoch >= searcher.epochs // 2:
                state.begin()

    def later_stages(self, space: Space) -> tuple[Stage, ...]:
        """Return the second stage, if there is one."""
        if self.stages == 1:
            return ()
        assert isinstance(space, SearchSpace)
        return (Stage(self._second(), heaviest(space, self.keep)),)

    def _second(self) -> "DrNas":
        """Return the method of the second stage alone."""
        return DrNas(self.second_fraction, kl=self.kl, rank=self.rank)

    def terms(self) -> tuple[Term, ...]:
        """Return the divergence, if it has a coefficient."""
        return (Divergence(self.kl),) if self.kl else ()

    def build_edge(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ) -> Edge:
        """Build the edge over C/k channels."""
        mixed = MixedEdge(on_edge, primitives, self.operator_channels(channels), stride)
        if self.channel_fraction == 1:
            return mixed
        return PartialEdge(mixed, self.channel_fraction, stride)

    def operator_channels(self, channels: int) -> int:
        """Return C/k."""
        return channels // self.channel_fraction

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:
        """Return softmax(alpha), or the mean of the draws."""
        if self.rank == "mean":
            return self.arch_weights(alphas, progress, None)
        return super().distribution(alphas, progress)

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise:
        """Draw the weights, (E, P) for each group; all alphas go to the host in one transfer."""
        c = torch.stack([_concentration(alphas, group) for group in alphas.groups])
        drawn = sample_dirichlet(c, generator).unbind()
        return dict(zip(alphas.groups, drawn, strict=True))

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return the drawn weights, through which gradients flow; without noise their mean."""
        weights = {}
        for group in alphas.groups:
            c, kept, removed = (
                _concentration(alphas, group),
                alphas.kept(group),
                alphas.removed(group),
            )
            if noise is None:
                ops = mean(c * kept)
            else:
                ops = reparametrized(c, noise[group])
                if removed is not None:
                    ops = renormalized(ops, kept)
            weights[group] = EdgeWeights(ops, removed=removed)
        return weights

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Let the alphas rest while the weights warm up."""
        state = searcher.method_state
        before = state.epochs_before() if isinstance(state, SecondStage) else 0
        if searcher.epoch - before >= self.warmup_epochs:
            searcher.alpha_step(train_batch)
        searcher.weight_step(train_batch)

    def decode_rule(self, space: Space) -> str:
        """Return the rule of `decode` in words."""
        by = {"softmax": "softmax(alpha)", "mean": "the mean of the draws"}
        return f"{super().decode_rule(space)}, by {by[self.rank]}"

    @torch.no_grad()
    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return the divergence of all edges and, by group, the mean c_0: how sharp draws are."""
        measures = {"kl": Divergence(1.0)(alphas, progress).item()}
        for group in alphas.groups:
            c = _concentration(alphas, group) * alphas.kept(group)
            measures[f"concentration/{group}"] = c.sum(dim=1).mean().item()
        if self.stages == 2:
            is_pruned = alphas.removed(alphas.groups[0]) is not None
            measures["stage"] = 2.0 if is_pruned else 1.0
        return measures


@dataclass(frozen=True)
class Divergence:
    """Term: weight * the sum over all edges of KL(Dir(c) || Dir(1))."""

    weight: float

    def __call__(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return the term, a scalar."""
        of_groups = [
            divergence_from_flat(_concentration(alphas, group)).sum() for group in alphas.groups
        ]
        return self.weight * torch.stack(of_groups).sum()


def renormalized(weights: Tensor, kept: Tensor) -> Tensor:
    """Return the weights that are kept, scaled to sum to 1 on each edge, (E, P)."""
    rest = weights * kept
    return rest / rest.sum(dim=1, keepdim=True).clamp_min(torch.finfo(rest.dtype).tiny)


def _concentration(alphas: Alphas, group: str) -> Tensor:
    """Return elu(alpha) + 1, (E, P), and 1 for pairs that were removed."""
    return concentration(alphas[group].masked_fill(~alphas.kept(group), 0), alphas.mask(group))
