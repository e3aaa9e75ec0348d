"""What a supernet is told about its edges in one forward pass.

Shape legend: E edges, P primitives.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.runtime.device import to_device


class PathDrop:
    """Drop path on the edges of a supernet, with masks from a seed.

    Two passes with equal seeds drop the same, edge by edge and image by image.
    """

    def __init__(self, probability: float, seed: int):
        """Start the stream of masks.

        Args:
            probability: That an edge passes nothing on for an image, in [0, 1).
            seed: Of all masks.
        """
        self.probability = probability
        self.generator = torch.Generator().manual_seed(seed)

    def next_edge(self) -> "PathDrop":
        """Return the drop path of one edge, with a separate random stream."""
        seed = torch.randint(2**62, (), generator=self.generator)
        return PathDrop(self.probability, int(seed))

    def __call__(self, x: Tensor) -> Tensor:
        """Return x, (N, C, H, W), with some images zeroed and the others scaled up to match.

        The mask is drawn on the CPU, so that it is the same on every device.
        """
        keep_prob = 1 - self.probability
        mask = torch.empty((len(x), 1, 1, 1)).bernoulli_(keep_prob, generator=self.generator)
        return x * to_device(mask, x.device).to(x.dtype) / keep_prob


class EdgeWeights(NamedTuple):
    """The weights of one group of cells, such as all normal cells."""

    ops: Tensor
    """(E, P): the weight of each primitive on each edge."""
    edge: Tensor | None = None
    """(E,): a factor for each whole edge; None is 1."""
    chosen: tuple[int, ...] | None = None
    """E columns of `ops`: the only operator that runs on each edge; None runs all."""
    removed: tuple[frozenset[int], ...] | None = None
    """For each of E edges the columns of `ops` whose operators do not run; None removes none."""
    auxiliary: float = 0.0
    """The weight of an operator of the edge outside the mixture."""
    drop: PathDrop | None = None
    """Drop path on what an edge passes on."""

    def detach(self) -> "EdgeWeights":
        """Return the same weights without a graph."""
        edge = None if self.edge is None else self.edge.detach()
        return self._replace(ops=self.ops.detach(), edge=edge)

    def rows(self) -> list["EdgeRow"]:
        """Return the weights edge by edge."""
        factors = None if self.edge is None else self.edge.unbind()
        return [
            EdgeRow(
                ops.unbind(),
                edge=None if factors is None else factors[index],
                chosen=None if self.chosen is None else self.chosen[index],
                removed=frozenset() if self.removed is None else self.removed[index],
                auxiliary=self.auxiliary,
                drop=None if self.drop is None else self.drop.next_edge(),
            )
            for index, ops in enumerate(self.ops.unbind())
        ]


class EdgeRow(NamedTuple):
    """The weights of one edge."""

    ops: tuple[Tensor, ...]
    """P scalars."""
    edge: Tensor | None = None
    """A scalar, or None for 1."""
    chosen: int | None = None
    """The column of the only operator that runs, or None."""
    removed: frozenset[int] = frozenset()
    """The columns of operators that do not run."""
    auxiliary: float = 0.0
    """The weight of an operator outside the mixture."""
    drop: PathDrop | None = None
    """Drop path on what the edge passes on."""

    def weight(self, column: int) -> Tensor:
        """Return the weight of an operator times that of the edge, a scalar."""
        return self.ops[column] if self.edge is None else self.ops[column] * self.edge


ArchWeights = Mapping[str, EdgeWeights]
"""The weights of every group, by its name."""


def by_group(
    arch_weights: ArchWeights | Sequence[Tensor | EdgeWeights], groups: Sequence[str]
) -> ArchWeights:
    """Return arch_weights by group.

    Args:
        arch_weights: By group already, or one entry for each group in order; a plain (E, P)
            tensor mixes all operators.
        groups: The names of the groups.
    """
    if isinstance(arch_weights, Mapping):
        return arch_weights
    return {
        group: weights if isinstance(weights, EdgeWeights) else EdgeWeights(weights)
        for group, weights in zip(groups, arch_weights, strict=True)
    }


def one_path(chosen: Sequence[int], num_columns: int, like: Tensor) -> EdgeWeights:
    """Return the weights that run one operator on each edge, without a graph.

    Args:
        chosen: E columns.
        num_columns: P.
        like: A tensor of the device and type of the weights.
    """
    ops = F.one_hot(torch.tensor(chosen), num_columns).to(like.dtype)
    return EdgeWeights(to_device(ops, like.device), chosen=tuple(chosen))
