"""The weight-sharing network of the NAS-Bench-201 family.

Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2 and its code.
Deviation: the code's convolutions in the cells have a bias, which the BatchNorm behind them
cancels; ours have none.
"""

from collections.abc import Sequence

from torch import Tensor

from nas.layers.residual_stages import ResidualStages
from nas.space import SearchSpace
from nas.supernet.arch_weights import ArchWeights, EdgeWeights, by_group
from nas.supernet.cell import EdgeFactory, EdgeGraph
from nas.supernet.edges import MixedEdge


class Nasbench201Cell(EdgeGraph):
    """A cell that keeps its shape: node 0 is its input, its last node the output."""

    def forward(self, x: Tensor, weights: EdgeWeights) -> Tensor:
        """Return the last node, (N, C, H, W), from x, (N, C, H, W), and weights, (E, P)."""
        return self.states([x], weights)[-1]

    def empty_node(self, like: Tensor) -> Tensor:
        """Return zeros that keep the graph: layers before a dead cell get gradients of zero."""
        return like * 0


class Nasbench201Supernet(ResidualStages):
    """Three stages of cells in which every edge holds all its candidates.

    Owns the weights w and no architecture parameter: its output is a function of the images and
    of the arch_weights it is given.
    """

    def __init__(
        self,
        space: SearchSpace,
        in_channels: int = 3,
        num_classes: int = 10,
        init_channels: int = 16,
        num_cells: int = 5,
        by_source: bool = True,
        build_edge: EdgeFactory = MixedEdge,
    ):
        """Build the network; the operators of the space must have been resolved.

        Args:
            space: The search space.
            in_channels: Channels of the images.
            num_classes: Number of classes of the dataset.
            init_channels: Channels C of the first stage.
            num_cells: Cells N of each of the three stages.
            by_source: Whether the edges that leave a state share work (see `shared_edges.py`).
            build_edge: Builds an edge from (on_edge, primitives, channels, stride).
        """

        def make_cell(channels: int) -> Nasbench201Cell:
            cell = Nasbench201Cell(space, "normal", channels)
            cell.add_edges(space, by_source, build_edge)
            return cell

        super().__init__(make_cell, in_channels, num_classes, init_channels, num_cells)
        self.groups = tuple(space.groups)

    def forward(self, x: Tensor, arch_weights: ArchWeights | Sequence[Tensor]) -> Tensor:
        """Classify.

        Args:
            x: Images, (N, in_channels, H, W).
            arch_weights: By group, or a sequence of one, (E, P).

        Returns:
            Logits, (N, num_classes).
        """
        return self.classify(x, by_group(arch_weights, self.groups)["normal"])
