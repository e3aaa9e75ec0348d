"""The weight-sharing network that a search trains.

Source: DARTS (arXiv:1806.09055), Sec. 2.2 and 3.1.
"""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from nas.space import SearchSpace
from nas.supernet.arch_weights import ArchWeights, by_group
from nas.supernet.cell import EdgeFactory, SupernetCell
from nas.supernet.edges import MixedEdge

STEM_MULTIPLIER = 3
"""The stem has three times the channels of the first cell's nodes (DARTS code)."""


class Supernet(nn.Module):
    """A stack of cells in which every edge holds all its candidates.

    Owns the weights w and no architecture parameter: its output is a function of the images and
    of the arch_weights it is given. Cells num_cells // 3 and 2 * num_cells // 3 are reductions,
    which halve the resolution and double the channels.
    """

    def __init__(
        self,
        space: SearchSpace,
        in_channels: int = 3,
        num_classes: int = 10,
        init_channels: int = 16,
        num_cells: int = 8,
        by_source: bool = True,
        build_edge: EdgeFactory = MixedEdge,
    ):
        """Build the network; the operators of the space must have been resolved.

        Args:
            space: The search space.
            in_channels: Channels of the images.
            num_classes: Number of classes of the dataset.
            init_channels: Channels C of the nodes in the first cell.
            num_cells: Number of cells.
            by_source: Whether the edges that leave a state share work (see `shared_edges.py`), with
                the same results; False evaluates edge by edge, as the paper writes it.
            build_edge: Builds an edge from (on_edge, primitives, channels, stride); a search
                method may replace the mixture of all operators.
        """
        super().__init__()
        self.groups = tuple(space.groups)
        stem_channels = STEM_MULTIPLIER * init_channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, stem_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(stem_channels),
        )
        self.cells = nn.ModuleList()
        widths = (stem_channels, stem_channels)
        channels = init_channels
        after_reduction = False
        for index in range(num_cells):
            is_reduction = index in (num_cells // 3, 2 * num_cells // 3)
            if is_reduction:
                channels *= 2
            cell_type = "reduce" if is_reduction else "normal"
            self.cells.append(
                SupernetCell(
                    space, cell_type, widths, channels, after_reduction, by_source, build_edge
                )
            )
            widths = (widths[1], space.num_nodes * channels)
            after_reduction = is_reduction
        self.classifier = nn.Linear(widths[1], num_classes)

    def forward(self, x: Tensor, arch_weights: ArchWeights | Sequence[Tensor]) -> Tensor:
        """Classify.

        Args:
            x: Images, (N, in_channels, H, W).
            arch_weights: By group, or in the order of the groups: (normal, reduce), each (E, P).

        Returns:
            Logits, (N, num_classes).
        """
        weights = by_group(arch_weights, self.groups)
        s0 = s1 = self.stem(x)
        for cell in self.cells:
            s0, s1 = s1, cell(s0, s1, weights[cast(SupernetCell, cell).cell_type])
        # Global pooling whose gradient has the memory format of s1; adaptive pooling's is NCHW.
        return self.classifier(F.avg_pool2d(s1, s1.shape[-2:]).flatten(1))
