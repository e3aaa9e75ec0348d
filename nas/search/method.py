"""What a search method is: a frozen record of what its paper changes of DARTS.

`Method` as it is here is DARTS. A method of another paper is a subclass that overrides what the
paper changes and nothing else; its settings are the fields of the record. See
`docs/add_a_method.md`.

Rules:
- `distribution`, `arch_weights` and `decode` are pure functions of the alphas, the progress and
  the given noise. All randomness comes from `draw`.
- A schedule is a function of the progress, so that a resumed run needs no state for it. What cannot
  be such a function is in the state that `make_state` returns.
- A method never overrides another method, and nothing tests the name of a method.

Shape legend: E edges, P primitives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.runtime.compute import Batch
from nas.search.alpha_settings import check_targets_act, refuse_settings_of_terms
from nas.search.kind import Found, Kind, kind_of
from nas.space import Space
from nas.supernet import Alphas, ArchWeights, Edge, EdgeWeights, MixedEdge

if TYPE_CHECKING:
    from nas.search.monitors import Monitor
    from nas.search.searcher import Searcher
    from nas.search.terms import Term

Noise = Mapping[str, Tensor]
"""What `draw` drew, by name; the same on all ranks."""


class Progress(NamedTuple):
    """Where a search is."""

    epoch: int
    """The current epoch, from 0."""
    epochs: int
    """All epochs of the search."""


class MethodState(Protocol):
    """What a method must remember between steps; the searcher saves it in every checkpoint.

    It must be the same on all ranks.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state in forms that `torch.load(weights_only=True)` reads."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned, with what follows from it in the net.

        Called before the weights, the alphas and the optimizers get their values.
        """
        ...


class Stage(NamedTuple):
    """What a search becomes in one of its stages."""

    method: Method
    """A method of one stage, with its edges and channels."""
    kept: Mapping[str, Tensor]
    """By group, the pairs that are left, (E, P), bool; those that take most memory, if the search
    decides it."""


@dataclass(frozen=True)
class Method:
    """DARTS: mixes all operators by the softmax of the alphas.

    Source: DARTS (arXiv:1806.09055), Sec. 2.
    """

    orders: ClassVar[tuple[str, ...]] = ("first_order", "second_order", "second_order_exact")
    """The orders of the architect that the method works with."""
    runs_all_operators: ClassVar[bool] = True
    """Whether every forward pass runs every operator, as DDP and torch.compile would like."""
    mixes_operators: ClassVar[bool] = True
    """Whether the loss depends smoothly on the weight of every operator, as in a mixture."""
    moves_alphas: ClassVar[bool] = True
    """Whether the steps move the alphas; if not, they rest, and a selection chooses."""
    one_level: ClassVar[bool] = False
    """Whether one loss on all training images moves weights and alphas, with no second part."""
    keeps_two_edges: ClassVar[bool] = True
    """Whether `decode` keeps two edges of every node; the expected cost of a target says so."""
    families: ClassVar[tuple[str, ...] | None] = None
    """The families of spaces that the method works with; None is all."""

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse what the method cannot do, before anything is built.

        Raises:
            ConfigError: A setting of the method or of the search does not fit.
        """
        if config.order not in self.orders:
            raise ConfigError(
                f"order: the method allows {' or '.join(self.orders)}, found {config.order}"
            )
        if self.families is not None and space.family not in self.families:
            raise ConfigError(
                f"space: {space.name} is of the family {space.family}, but the method is for the "
                f"family {' or '.join(self.families)} only; use another method"
            )
        default = type(config).train_fraction
        if self.one_level and config.train_fraction != default:
            raise ConfigError(
                f"train_fraction: found {config.train_fraction:g}, but the method uses all images "
                "for weights and alphas together, so it has no effect; leave it out"
            )
        if self.moves_alphas:
            check_targets_act(config)
        else:
            name = config.method.partition(",")[0]
            refuse_settings_of_terms(config, f"method {name} has no alpha loss")
        kind_of(space).check(config, self)
        if not self.runs_all_operators and config.compile not in ("auto", "off"):
            raise ConfigError(
                f"compile: found {config.compile}, but the method runs other operators in every "
                "step, which compiled code does not follow; use off"
            )

    def unused(self, config: SearchConfig) -> list[str]:
        """Return the names of settings that were given and that the method has no use for."""
        return []

    def extra_alphas(self, space: Space, init_std: float = 1e-3) -> dict[str, Tensor]:
        """Return the first values of the parameters that the method adds to the alphas, by name.

        Args:
            space: The search space.
            init_std: Standard deviation of the first alphas.
        """
        return {}

    def terms(self) -> tuple[Term, ...]:
        """Return the terms of the alpha loss that belong to the method."""
        return ()

    def monitors(self) -> tuple[Monitor, ...]:
        """Return what is measured after each epoch from more than the alphas, such as a state."""
        return ()

    def make_state(self, searcher: Searcher) -> MethodState | None:
        """Return what the method must remember between steps, or None.

        Args:
            searcher: With its network, alphas and optimizers; `searcher.method_state` becomes what
                this returns.
        """
        return None

    def begin_epoch(self, searcher: Searcher) -> None:
        """Prepare an epoch before its first step, such as the first one of a new stage.

        What this changes of the network must follow from the state of the method, whose
        `load_state_dict` repeats it when a run is resumed. It is called on all ranks, and random
        choices come from `searcher.generator`.
        """

    def later_stages(self, space: Space) -> tuple[Stage, ...]:
        """Return the stages of a search after its first, for checks and estimates before it."""
        return ()

    def build_edge(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ) -> Edge:
        """Build an edge of the supernet; the arguments are those of `MixedEdge`."""
        return MixedEdge(on_edge, primitives, channels, stride)

    def operator_channels(self, channels: int) -> int:
        """Return the number of channels that operators see on an edge of C channels."""
        return channels

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:
        """Return how likely each operator is, by group: what is measured, recorded and decoded."""
        return {
            group: EdgeWeights(alphas.softmax(group), removed=alphas.removed(group))
            for group in alphas.groups
        }

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise | None:
        """Draw the randomness of one alpha step or one weight step; None where there is none.

        Args:
            alphas: For the shapes.
            progress: Where the search is.
            generator: The method's own, on the CPU; it is saved in the checkpoint and equal on
                all ranks.
        """
        return None

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return what the supernet gets in a step, by group; gradients flow to the alphas.

        Args:
            alphas: The architecture parameters.
            progress: Where the search is.
            noise: What `draw` returned for this step; None measures, without any randomness.
        """
        return self.distribution(alphas, progress)

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Take one step of the search: alphas first, then weights, as DARTS does."""
        searcher.alpha_step(train_batch)
        searcher.weight_step(train_batch)

    def without_search(self, kind: Kind, config: SearchConfig) -> Found | None:
        """Return what a method ends with that trains no supernet; None searches for it."""
        return None

    def decode(self, alphas: Alphas, space: Space, progress: Progress) -> Found:
        """Read the discrete cells, or the network of a chain, off the alphas."""
        decode = space.kind.load("decode")
        return decode(strengths(self.distribution(alphas, progress)), space)

    def entropy(self, alphas: Alphas, weights: ArchWeights) -> dict[str, float]:
        """Return how undecided the operators are, by group.

        Args:
            alphas: The architecture parameters.
            weights: What `distribution` returned, without a graph.

        Returns:
            The mean entropy of the edges' distributions, in nats.
        """
        return {group: entropy(weights[group].ops) for group in alphas.groups}

    def decode_rule(self, space: Space) -> str:
        """Return in a few words which cells `decode` reads off; runs and genotypes record it."""
        if type(self).decode is not Method.decode:
            return "the rule of the method"
        return space.kind.decode_rule

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return numbers of an epoch that are worth a curve, by name."""
        return {}


def entropy(ops: Tensor) -> float:
    """Return the mean entropy of the edges' distributions in nats; `ops` is (E, P)."""
    # 0 * log 0 = 0, which xlogy knows.
    return -torch.xlogy(ops, ops).sum(dim=1).mean().item()


def strengths(weights: ArchWeights) -> dict[str, Tensor]:
    """Return the weight of each operator on each edge, (E, P), times that of the edge."""
    return {
        group: w.ops if w.edge is None else w.ops * w.edge[:, None] for group, w in weights.items()
    }
