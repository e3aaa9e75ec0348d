"""The evaluation network of a cell of the NAS-Bench-201 family.

Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2 and its code.
"""

from typing import cast

from torch import Tensor, nn

from nas.errors import ConfigError
from nas.genotype import Genotype
from nas.genotype.record import Node
from nas.layers.residual_stages import ResidualStages
from nas.operators import build_operator


class Nasbench201Cell(nn.Module):
    """The operators of a cell; node 0 is its input, its last node the output."""

    def __init__(self, nodes: tuple[Node, ...], channels: int):
        super().__init__()
        self.nodes = nn.ModuleList(
            nn.ModuleList(build_operator(name, channels, 1, affine=True) for name, _ in node)
            for node in nodes
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        states = [x]
        for operators in self.nodes:
            # Every node has an operator from every earlier node, in order.
            pairs = zip(cast(nn.ModuleList, operators), states, strict=True)
            states.append(sum(operator(state) for operator, state in pairs))
        return states[-1]


class Nasbench201Network(ResidualStages):
    """Three stages of a discrete cell, as the benchmark trains it."""

    def __init__(
        self,
        genotype: Genotype,
        in_channels: int = 3,
        num_classes: int = 10,
        init_channels: int = 16,
        num_cells: int = 5,
        auxiliary: bool = False,
        stem: str = "cifar",
    ):
        """Build the network; the operators of the genotype must have been registered.

        Args:
            genotype: The cell.
            in_channels: Of the images.
            num_classes: Of the data set.
            init_channels: C of the first stage.
            num_cells: N, the cells of each of the three stages.
            auxiliary: False; there is no auxiliary head.
            stem: "cifar"; there is no other.

        Raises:
            ConfigError: An auxiliary head or another stem is asked for.
            OperatorError: A primitive is not registered.
        """
        if auxiliary:
            raise ConfigError(
                "auxiliary_weight: the network of a cell of NAS-Bench-201 has no auxiliary head; "
                "leave it out or set it to 0"
            )
        if stem != "cifar":
            raise ConfigError(
                f"stem: the network of a cell of NAS-Bench-201 has the stem cifar, found {stem}; "
                "leave it out"
            )
        super().__init__(
            lambda channels: Nasbench201Cell(genotype.normal, channels),
            in_channels,
            num_classes,
            init_channels,
            num_cells,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (N, num_classes), of images (N, in_channels, H, W)."""
        return self.classify(x)
