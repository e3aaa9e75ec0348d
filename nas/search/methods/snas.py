"""SNAS: every step mixes all operators by a random draw that becomes one-hot as it cools.

    w      = softmax((alpha + g) / t),  g = -log(-log u)      one draw a group and step
    edge(x) = sum over p of w_p * op_p(x)
    t      = t_max - (t_max - t_min) * (epoch + 1) / epochs

One level: one loss on one batch moves weights and alphas together, and all training images are used
for it. There is no validation part; what a search measures is measured on the training images.

An edge keeps its most likely operator, `none` included: an edge whose operator is `none` is left
out, so a node has any number of inputs. A node without edges does not exist; see
`nas.genotype.cells.without_gaps`.

Source: SNAS (arXiv:1812.09926), Sec. 2, and its code (SNAS-Series/SNAS-Series 9a43adb).
Deviation: the code's temperature falls over 150 epochs even if fewer are run; here it reaches t_min
in the last epoch.
Deviation: the code draws while measuring too; here a measurement mixes by softmax(alpha).
Deviation: the alphas start around 0, in the code around 1; no softmax sees the difference.
Deviation: without the term of resources of the paper, in the code lambda * (R_normal / 6 + R_reduce
/ 2) with lambda 1.5e-3, because its R sums parameters, multiply-adds and memory accesses of the
supernet in fixed proportions that belong to CIFAR-10. So this is SNAS without constraint, and its
cells are larger than the published ones, which were searched with three values of lambda.
Deviation: without the drop path of the code on the edges of the supernet.
Deviation: if `none` wins everywhere in a group of cells, its edges keep the best other operator;
the code writes an empty cell, which is no network.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError, close_matches, shown
from nas.genotype import Genotype
from nas.genotype.cells import without_gaps
from nas.operators import NUM_DECODED_EDGES, get_operator
from nas.runtime.compute import Batch
from nas.search.kind import Found
from nas.search.method import Method, Noise, Progress
from nas.search.registry import register_method
from nas.search.sampling import gumbel_noise, gumbel_softmax
from nas.search.searcher import Searcher
from nas.space import NUM_INPUTS, SearchSpace, Space
from nas.supernet import Alphas, ArchWeights, EdgeWeights

KEEP = ("all_edges", "two_edges")

Entry = tuple[str, int, int]
"""(primitive, target, source)."""


@register_method("snas", source="SNAS (arXiv:1812.09926), Sec. 2")
@dataclass(frozen=True)
class Snas(Method):
    """Gumbel-softmax mixtures; weights and alphas move together on all training images."""

    t_max: float = 1.0
    """Temperature before the first epoch."""
    t_min: float = 0.03
    """Temperature of the last epoch; it falls linearly."""
    alpha_grad_clip: float = 10.0
    """Largest norm of the gradient of the alphas."""
    keep: str = "all_edges"
    """all_edges keeps every edge on which `none` does not win; two_edges the two strongest edges of
    a node, of which those of `none` are left out. In the family nasbench201 every edge stays."""

    orders: ClassVar = ("first_order",)
    one_level: ClassVar = True
    keeps_two_edges: ClassVar = False

    def __post_init__(self) -> None:
        if not 0 < self.t_min <= self.t_max:
            raise ConfigError(
                f"t_min: expected a number above 0 and at most t_max {self.t_max:g}, "
                f"found {self.t_min:g}"
            )
        if self.alpha_grad_clip <= 0:
            raise ConfigError(
                f"alpha_grad_clip: expected a number above 0, found {self.alpha_grad_clip:g}"
            )
        if self.keep not in KEEP:
            raise ConfigError(f"keep: found {shown(self.keep)}; {close_matches(self.keep, KEEP)}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse to keep two edges where the family keeps all."""
        super().check(config, space)
        if self.keep != "all_edges" and space.kind.edges_per_node is None:
            raise ConfigError(
                f"method: snas: keep: found {self.keep}, but in space {space.name} every edge is "
                "kept; leave it out"
            )

    def temperature(self, progress: Progress) -> float:
        """Return the temperature of an epoch."""
        done = (progress.epoch + 1) / progress.epochs
        return self.t_max - (self.t_max - self.t_min) * done

    def draw(self, alphas: Alphas, progress: Progress, generator: torch.Generator) -> Noise:
        """Draw Gumbel noise, (E, P) for each group."""
        return gumbel_noise(alphas, generator)

    def arch_weights(self, alphas: Alphas, progress: Progress, noise: Noise | None) -> ArchWeights:
        """Return the drawn mixture; without noise softmax(alpha)."""
        if noise is None:
            return self.distribution(alphas, progress)
        t = self.temperature(progress)
        return {
            group: EdgeWeights(gumbel_softmax(alphas.logits_of(group), noise[group], t))
            for group in alphas.groups
        }

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Move weights and alphas by one loss."""
        searcher.joint_step(train_batch, self.alpha_grad_clip)

    @torch.no_grad()
    def decode(self, alphas: Alphas, space: Space, progress: Progress) -> Found:
        """Keep what is not `none`, or an operator on every edge where the family does."""
        if space.kind.edges_per_node is None:
            return super().decode(alphas, space, progress)
        assert isinstance(space, SearchSpace)
        cells: dict[str, Any] = {}
        for group, weights in self.distribution(alphas, progress).items():
            ops = weights.ops.clone()
            nodes = self._nodes(group, ops, space)
            if not nodes:
                for column, name in enumerate(space.primitives):
                    ops[:, column] -= float(get_operator(name).is_zero)
                nodes = self._nodes(group, ops, space)
            concat = tuple(range(NUM_INPUTS, NUM_INPUTS + len(nodes)))
            cells |= {group: tuple(map(tuple, nodes)), f"{group}_concat": concat}
        return Genotype(**cells)

    def decode_rule(self, space: Space) -> str:
        """Return the rule of `decode` in words."""
        if space.kind.edges_per_node is None:
            return space.kind.decode_rule
        edges = {"all_edges": "all edges", "two_edges": "per node the two strongest edges"}
        return f"{edges[self.keep]}, each with its strongest operator, if that is not none"

    def entries(self, group: str, ops: Tensor, space: SearchSpace) -> list[Entry]:
        """Return the edges that stay, node by node, strongest first, those of `none` too.

        Args:
            group: The group of cells.
            ops: The weights of its operators, (E, P).
            space: The search space.
        """
        weights, entries = ops.tolist(), []
        for target in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
            strongest = sorted(
                min(
                    (-weights[edge][column], space.edges[edge][0], name)
                    for column, name in enumerate(space.primitives)
                    if name in space.groups[group][edge]
                )
                for edge in space.incoming(target)
            )
            kept = strongest if self.keep == "all_edges" else strongest[:NUM_DECODED_EDGES]
            entries += [(name, target, source) for _, source, name in kept]
        return entries

    def _nodes(self, group: str, ops: Tensor, space: SearchSpace) -> list[list[tuple[str, int]]]:
        entries = self.entries(group, ops, space)
        return without_gaps(entry for entry in entries if not get_operator(entry[0]).is_zero)[0]

    def measures(self, alphas: Alphas, progress: Progress) -> dict[str, float]:
        """Return the temperature."""
        return {"temperature": self.temperature(progress)}
