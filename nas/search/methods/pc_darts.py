"""PC-DARTS: each edge mixes a part of its channels, and edges have weights of their own.

    x1, x2 = first C/k channels of x, the other channels
    mix    = sum over p of softmax(alpha_e)_p * op_p(x1)
    side   = x2 at stride 1, max_pool_2x2(x2) at stride 2
    edge   = shuffle(concat(mix, side))
    node_j = sum over i of b_ij * edge_ij,   b_.j = softmax over the edges into node j of beta

The operators are built for C/k channels, so a search takes a fraction of the time and memory. The
shuffle moves input channel g * C/k + c to output channel c * k + g, so that later nodes mix other
channels. The alphas rest while the weights warm up.

Source: PC-DARTS (arXiv:1907.05737), Sec. 3, and its code (yuhuixu1993/PC-DARTS b74702f).
Deviation: the paper samples channels at random; its code, and this, always take the first C/k and
shuffle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.runtime.compute import Batch
from nas.search.method import Method, Progress
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.space import SearchSpace
from nas.supernet import Alphas, ArchWeights, Edge, EdgeRow, EdgeWeights, MixedEdge
from nas.supernet.shared_edges import SourceState


@register_method("pc_darts", source="PC-DARTS (arXiv:1907.05737), Sec. 3")
@dataclass(frozen=True)
class PCDarts(Method):
    """Partial channel connections with edge normalization."""

    channel_fraction: int = 4
    """k: an edge mixes 1/k of its channels (4 on CIFAR-10, 2 on ImageNet)."""
    warmup_epochs: int = 15
    """Number of first epochs in which only the network weights move."""

    def __post_init__(self) -> None:
        if self.channel_fraction < 2:
            raise ConfigError(
                f"channel_fraction: expected 2 or more, found {self.channel_fraction}; "
                "method darts mixes all channels"
            )
        if self.warmup_epochs < 0:
            raise ConfigError(f"warmup_epochs: expected 0 or more, found {self.warmup_epochs}")

    def check(self, config: SearchConfig, space: SearchSpace) -> None:
        """See `Method`; the channels must divide, and the alphas must move at some time."""
        super().check(config, space)
        if config.init_channels % self.channel_fraction:
            raise ConfigError(
                f"init_channels: expected a multiple of channel_fraction {self.channel_fraction}, "
                f"found {config.init_channels}"
            )
        if self.warmup_epochs >= config.epochs:
            raise ConfigError(
                f"epochs: found {config.epochs}, but the alphas rest for the first "
                f"{self.warmup_epochs} epochs; raise epochs or lower warmup_epochs "
                f"(method: pc_darts,warmup_epochs={config.epochs // 3})"
            )

    def extra_alphas(self, space: SearchSpace, init_std: float = 1e-3) -> dict[str, Tensor]:
        """Return beta, one logit per edge, for each group."""
        return {_beta(group): init_std * torch.randn(space.num_edges) for group in space.groups}

    def build_edge(
        self, on_edge: tuple[str, ...], primitives: tuple[str, ...], channels: int, stride: int
    ) -> Edge:
        """Build the edge over C/k channels."""
        mixed = MixedEdge(on_edge, primitives, self.operator_channels(channels), stride)
        return PartialEdge(mixed, self.channel_fraction, stride)

    def operator_channels(self, channels: int) -> int:
        """Return C/k."""
        return channels // self.channel_fraction

    def distribution(self, alphas: Alphas, progress: Progress) -> ArchWeights:
        """Return softmax(alpha) with softmax(beta) over the edges into each node."""
        return {
            group: EdgeWeights(
                alphas.softmax(group), edge=softmax_by_node(alphas[_beta(group)], alphas.edges)
            )
            for group in alphas.groups
        }

    def step(self, searcher: Searcher, train_batch: Batch) -> None:
        """Let the alphas rest while the weights warm up."""
        if searcher.epoch >= self.warmup_epochs:
            searcher.alpha_step(train_batch)
        searcher.weight_step(train_batch)


def _beta(group: str) -> str:
    return f"{group}_beta"


def softmax_by_node(beta: Tensor, edges: Sequence[tuple[int, int]]) -> Tensor:
    """Return the softmax of logits over the edges into each node, (E,).

    Args:
        beta: (E,).
        edges: (source, target) of each edge, node by node.
    """
    sizes = [len(list(into_node)) for _, into_node in groupby(edges, key=lambda edge: edge[1])]
    return torch.cat([block.softmax(dim=0) for block in beta.split(sizes)])


class PartialEdge(Edge):
    """An edge that mixes the first C/k channels and passes the others by."""

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
        num_mixed = state.x.shape[1] // self.fraction
        part = state.once("part", lambda: _part(state, num_mixed))
        side = state.once("side", lambda: self._bypass(state.x[:, num_mixed:]))
        mix_total, side_total = (None, None) if total is None else total
        mix_total = self.inner.add_to(mix_total, part, row)
        weighted = side if row.edge is None else row.edge * side
        return mix_total, weighted if side_total is None else side_total + weighted

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


def _part(state: SourceState, num_channels: int) -> SourceState:
    """Return the state of the mixed channels, laid out in memory as the whole state is."""
    is_channels_last = state.x.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if is_channels_last else torch.contiguous_format
    x = state.x[:, :num_channels].contiguous(memory_format=memory_format)
    return SourceState(x, state.operators)


def channel_shuffle(x: Tensor, num_parts: int) -> Tensor:
    """Move input channel g * C/k + c to output channel c * k + g; x is (N, C, H, W)."""
    return F.channel_shuffle(x, num_parts)
