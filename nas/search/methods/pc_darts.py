"""PC-DARTS: each edge mixes a part of its channels, and edges have weights of their own.

    x1, x2 = first C/k channels of x, the other channels
    mix    = sum over p of softmax(alpha_e)_p * op_p(x1)
    side   = x2 at stride 1, max_pool_2x2(x2) at stride 2
    edge   = shuffle(concat(mix, side))                   see nas.supernet.partial_edge
    node_j = sum over i of b_ij * edge_ij,   b_.j = softmax over the edges into node j of beta

The operators are built for C/k channels, so a search takes a fraction of the time and memory. The
alphas rest while the weights warm up.

Source: PC-DARTS (arXiv:1907.05737), Sec. 3, and its code (yuhuixu1993/PC-DARTS b74702f).
Deviation: the paper samples channels at random; its code, and this, always take the first C/k and
shuffle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.runtime.compute import Batch
from nas.search.method import Method, Progress
from nas.search.registry import register_method
from nas.search.searcher import Searcher
from nas.space import Space
from nas.supernet import Alphas, ArchWeights, Edge, EdgeWeights, MixedEdge
from nas.supernet.partial_edge import PartialEdge


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

    def check(self, config: SearchConfig, space: Space) -> None:
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

    def extra_alphas(self, space: Space, init_std: float = 1e-3) -> dict[str, Tensor]:
        """Return beta, one logit per edge, for each group."""
        sizes = {group: len(rows) for group, rows in space.groups.items()}
        return {_beta(group): init_std * torch.randn(size) for group, size in sizes.items()}

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
