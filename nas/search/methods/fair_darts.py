"""FairDARTS: every operator is weighed on its own, by a sigmoid, and pushed towards 0 or 1.

    edge(x)    = sum over p of sigmoid(alpha_p) * op_p(x)
    alpha loss = L_val + weight * zero_one
    zero_one   = -mean((sigmoid(alpha) - 0.5)^2)        l2
                 -mean(|sigmoid(alpha) - 0.5|)          l1, over all pairs of edge and operator

Operators do not compete, so a skip connection gains nothing at the expense of the others. The
search starts from alphas of exactly 0 (`alpha_init_std: 0`), where the zero-one loss has no
gradient: it acts on what the cross-entropy has begun.

A node keeps its two strongest edges, but only those whose operator reaches the threshold, so it may
keep one or none. A node without edges does not exist; see `nas.genotype.cells.without_gaps`.

Source: FairDARTS (arXiv:1911.12126) and its code (xiaomi-automl/FairDARTS 270cfc9).
Deviation: the code adds the zero-one loss to the loss of the weights too, where it has no gradient.
Deviation: a cell of which nothing reaches the threshold, as in the first epochs, is decoded without
the threshold; the code writes an empty cell, which is no network.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from nas.errors import ConfigError, close_matches, shown
from nas.genotype import Genotype
from nas.genotype.cells import without_gaps
from nas.operators import NUM_DECODED_EDGES
from nas.search.decode import Candidate, candidates
from nas.search.method import Method, Progress
from nas.search.registry import register_method
from nas.search.terms import Term
from nas.space import NUM_INPUTS, SearchSpace, Space
from nas.supernet import Alphas, ArchWeights, EdgeWeights

FORMS = ("l2", "l1")
KEEP = ("two_edges", "all_edges")

Entry = tuple[str, int, int]
"""(primitive, target, source)."""


@dataclass(frozen=True)
class ZeroOne:
    """The zero-one loss of FairDARTS on the sigmoids of the alphas."""

    weight: float
    form: str

    def __call__(self, alphas: Alphas, progress: Progress) -> Tensor:
        """Return the term, a scalar."""
        masks = torch.cat([alphas.mask(group) for group in alphas.groups])
        distance = torch.cat([alphas[group] for group in alphas.groups]).sigmoid() - 0.5
        losses = distance.square() if self.form == "l2" else distance.abs()
        # Not `losses[masks]`, whose size the host would have to wait for.
        return -self.weight * losses.masked_fill(~masks, 0).sum() / masks.sum()


@register_method("fair_darts", source="FairDARTS (arXiv:1911.12126), Sec. 4")
@dataclass(frozen=True)
class FairDarts(Method):
    """Independent sigmoids with a zero-one loss; nodes keep 0, 1 or 2 edges."""

    weight: float = 10.0
    """Weight of the zero-one loss, a mean over all pairs of edge and operator."""
    form: str = "l2"
    """l2 or l1."""
    threshold: float = 0.85
    """The smallest weight of an operator that stays; 0 keeps two edges per node, as DARTS does."""
    keep: str = "two_edges"
    """two_edges keeps the best operator of the two strongest edges of a node; all_edges the two
    best operators of each edge."""

    keeps_two_edges: ClassVar = False
    families: ClassVar = ("cell",)

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ConfigError(f"weight: expected 0 or more, found {self.weight:g}")
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold: expected 0 or more, below 1, found {self.threshold:g}")
        for name, allowed in (("form", FORMS), ("keep", KEEP)):
            if (value := getattr(self, name)) not in allowed:
                raise ConfigError(f"{name}: found {shown(value)}; {close_matches(value, allowed)}")

    def terms(self) -> tuple[Term, ...]:
        """Return the zero-one loss."""
        return (ZeroOne(self.weight, self.form),)

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:
        """Return sigmoid(alpha), 0 where the space has no pair; a row need not sum to 1."""
        return {group: EdgeWeights(alphas.logits_of(group).sigmoid()) for group in alphas.groups}

    @torch.no_grad()
    def decode(self, alphas: Alphas, space: Space, progress: Progress) -> Genotype:
        """Keep what reaches the threshold."""
        assert isinstance(space, SearchSpace)
        cells: dict[str, Any] = {}
        for group, weights in self.distribution(alphas, progress).items():
            nodes, _ = without_gaps(self.entries(group, weights.ops, space))
            if not nodes:
                unlimited = replace(self, threshold=0)
                nodes, _ = without_gaps(unlimited.entries(group, weights.ops, space))
            concat = tuple(range(NUM_INPUTS, NUM_INPUTS + len(nodes)))
            cells |= {group: tuple(map(tuple, nodes)), f"{group}_concat": concat}
        return Genotype(**cells)

    def decode_rule(self, space: Space) -> str:
        """Return the rule of `decode` in words."""
        edges = {
            "two_edges": "per node the two strongest edges, each with its strongest operator",
            "all_edges": "per edge the two strongest operators",
        }
        return f"{edges[self.keep]}, if its weight is {self.threshold:g} or more"

    def entries(self, group: str, ops: Tensor, space: SearchSpace) -> list[Entry]:
        """Return the entries that stay, node by node.

        Args:
            group: The group of cells.
            ops: The weights of its operators, (E, P).
            space: The search space.
        """
        nodes = candidates(ops.tolist(), space.groups[group], space)
        return [
            (space.primitives[column], target, source)
            for target, node in enumerate(nodes, start=NUM_INPUTS)
            for strength, source, column in self._ranked(node)
            if -strength >= self.threshold
        ]

    def _ranked(self, node: list[list[Candidate]]) -> list[Candidate]:
        if self.keep == "all_edges":
            return [pair for edge in node for pair in sorted(edge)[1::-1]]  # weakest first
        return sorted(min(edge) for edge in node if edge)[:NUM_DECODED_EDGES]

    @torch.no_grad()
    def entropy(self, alphas: Alphas, weights: ArchWeights) -> dict[str, float]:
        """Return the mean entropy of the pairs, each a separate choice between in and out."""
        means = {}
        for group in alphas.groups:
            p = weights[group].ops[alphas.mask(group)]
            means[group] = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).mean().item()
        return means

    @torch.no_grad()
    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return, by group, the mean total weight of an edge and how many operators may stay."""
        measures: dict[str, float] = {}
        for group, weights in self.distribution(alphas, progress).items():
            measures |= {
                f"total_weight/{group}": weights.ops.sum(dim=1).mean().item(),
                f"at_threshold/{group}": float((weights.ops >= self.threshold).sum()),
            }
        return measures
