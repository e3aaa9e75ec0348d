"""The edge of partial channel connections: it mixes the first C/k channels only.

    mix  = sum over p of w_p * op_p(x1),   x1, x2 = first C/k channels of x, the other channels
    side = x2 at stride 1, max_pool_2x2(x2) at stride 2
    edge = shuffle(concat(mix, side))

The shuffle moves input channel g * C/k + c to output channel c * k + g, so that later nodes mix
other channels.

Source: PC-DARTS (arXiv:1907.05737), Sec. 3, and its code (yuhuixu1993/PC-DARTS b74702f).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.layers import split
from nas.supernet.arch_weights import EdgeRow
from nas.supernet.edges import Edge, MixedEdge
from nas.supernet.shared_edges import SourceState, add_product


class PartialEdge(Edge):
    """An edge that mixes the first C/k channels and passes the others by."""

    keeps_row = True

    def __init__(self, mixed: MixedEdge, fraction: int, stride: int):
        super().__init__()
        self.inner = mixed
        self.fraction = fraction
        self.stride = stride

    @property
    def mixed(self) -> MixedEdge:
        """The edge over C/k channels."""
        return self.inner

    def forward(self, x: Tensor, row: EdgeRow) -> Tensor:
        """Return row.edge * shuffle(concat(mix, side))."""
        mixed, side = x.tensor_split([x.shape[1] // self.fraction], dim=1)
        mix = self.inner(mixed, row._replace(edge=None))
        edge = channel_shuffle(torch.cat([mix, self._bypass(side)], dim=1), self.fraction)
        return edge if row.edge is None else row.edge * edge

    def add_to(self, total: Any, state: SourceState, row: EdgeRow) -> tuple[Tensor | None, Tensor]:
        """Add to the two sums of a node, of mixes and of sides.

        Concatenation and shuffle are linear and the same for all edges, so `finish` does them
        once a node.
        """
        channels = state.x.shape[1]
        num_mixed = channels // self.fraction
        x, others = state.once("parts", lambda: split(state.x, [num_mixed, channels - num_mixed]))
        part = state.once("part", lambda: SourceState(x, state.operators, state.leaving))
        side = state.once("side", lambda: self._bypass(others))
        mix_total, side_total = (None, None) if total is None else total
        mix_total = self.inner.add_to(mix_total, part, row)
        factor = torch.ones_like(row.ops[0]) if row.edge is None else row.edge
        if side_total is None:
            return mix_total, side * factor
        return mix_total, add_product(side_total, side, factor)

    def finish(self, total: tuple[Tensor | None, Tensor]) -> Tensor:
        """Return shuffle(concat(sum of mixes, sum of sides))."""
        mix, side = total
        if mix is None:
            num_mixed = side.shape[1] // (self.fraction - 1)
            mix = side.new_zeros((len(side), num_mixed, *side.shape[2:]))
        return channel_shuffle(torch.cat([mix, side], dim=1), self.fraction)

    def _bypass(self, side: Tensor) -> Tensor:
        # With ceil_mode an odd size shrinks as that of the operators does.
        return side if self.stride == 1 else F.max_pool2d(side, 2, 2, ceil_mode=True)


def channel_shuffle(x: Tensor, num_parts: int) -> Tensor:
    """Move input channel g * C/k + c to output channel c * k + g; x is (N, C, H, W)."""
    return F.channel_shuffle(x, num_parts)
