"""The evaluation network of a genotype, in the CIFAR and in the ImageNet form.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and 3.3, and its code.
"""

import torch
from torch import Tensor, nn

from nas.config.network_size import CIFAR_SIZE
from nas.errors import ConfigError, GenotypeError
from nas.genotype import Genotype
from nas.layers import AuxiliaryHeadCIFAR, AuxiliaryHeadImageNet
from nas.models.cell import GenotypeCell
from nas.space import NUM_INPUTS

STEM_MULTIPLIER = 3
"""The CIFAR stem has three times the channels of the first cell's nodes (DARTS code)."""

STEMS = ("cifar", "imagenet")


class GenotypeNetwork(nn.Module):
    """A stack of discrete cells with a stem, a classifier and, in training, an auxiliary head.

    Cells num_cells // 3 and 2 * num_cells // 3 are reductions; the auxiliary head reads the output
    of the second. Drop path is 0 until `drop_path_prob` is set.
    """

    _drop_prob: Tensor

    def __init__(
        self,
        genotype: Genotype,
        in_channels: int = 3,
        num_classes: int = 10,
        init_channels: int = CIFAR_SIZE.init_channels,
        num_cells: int = CIFAR_SIZE.num_cells,
        auxiliary: bool = True,
        stem: str = "cifar",
    ):
        """Build the network; the operators of the genotype must have been registered.

        Args:
            genotype: The cells.
            in_channels: Of the images.
            num_classes: Of the data set.
            init_channels: C of the first cell's nodes (CIFAR 36, ImageNet 48).
            num_cells: Cells in the stack (CIFAR 20, ImageNet 14).
            auxiliary: Whether to build the auxiliary head, which is used in training only.
            stem: "cifar" keeps the resolution; "imagenet" divides it by 8 before the first cell.

        Raises:
            ConfigError: An unknown stem.
            GenotypeError: A cell concatenates its inputs in a reduction, where they have another
                resolution than its nodes.
            OperatorError: A primitive is not registered.
        """
        super().__init__()
        if stem not in STEMS:
            raise ConfigError(f"stem: {stem!r} is unknown; it is one of {', '.join(STEMS)}")
        if any(index < NUM_INPUTS for index in genotype.reduce_concat):
            raise GenotypeError(
                "reduce_concat: an input of a reduction cell cannot be concatenated: it has twice "
                "the resolution of the nodes"
            )
        self.register_buffer("_drop_prob", torch.zeros(()), persistent=False)
        self.drop_path_prob = 0.0
        self.stem = stem
        stem_channels = init_channels if stem == "imagenet" else STEM_MULTIPLIER * init_channels
        build_stem = _imagenet_stem if stem == "imagenet" else _cifar_stem
        self.stem0, self.stem1 = build_stem(in_channels, stem_channels)
        widths = (stem_channels, stem_channels)
        self.cells = nn.ModuleList()
        self.auxiliary_head: nn.Module | None = None
        self.auxiliary_index = 2 * num_cells // 3
        channels = init_channels
        after_reduction = stem == "imagenet"
        for index in range(num_cells):
            is_reduction = index in (num_cells // 3, 2 * num_cells // 3)
            if is_reduction:
                channels *= 2
            cell = GenotypeCell(
                genotype.reduce if is_reduction else genotype.normal,
                genotype.reduce_concat if is_reduction else genotype.normal_concat,
                widths,
                channels,
                is_reduction,
                after_reduction,
            )
            self.cells.append(cell)
            widths = (widths[1], cell.out_channels)
            after_reduction = is_reduction
            if auxiliary and index == self.auxiliary_index:
                head = AuxiliaryHeadImageNet if stem == "imagenet" else AuxiliaryHeadCIFAR
                self.auxiliary_head = head(cell.out_channels, num_classes)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(widths[1], num_classes)

    @property
    def drop_path_prob(self) -> float:
        """Probability of dropping a path in training; in [0, 1)."""
        return self._drop_path_prob

    @drop_path_prob.setter
    def drop_path_prob(self, value: float) -> None:
        self._drop_path_prob = value
        self._drop_prob.fill_(value)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Classify.

        Args:
            x: Images, (N, in_channels, H, W).

        Returns:
            Logits, (N, num_classes); in training with an auxiliary head (logits, aux_logits).
        """
        s0 = self.stem0(x)
        s1 = self.stem1(s0)
        aux_logits = None
        # Compiled code would take a number as a constant, and be compiled again in each epoch.
        drop_prob = self._drop_prob if torch.compiler.is_compiling() else self._drop_path_prob
        for index, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1, drop_prob)
            if self.training and self.auxiliary_head is not None and index == self.auxiliary_index:
                aux_logits = self.auxiliary_head(s1)
        logits = self.classifier(self.pool(s1).flatten(1))
        return logits if aux_logits is None else (logits, aux_logits)


def _cifar_stem(in_channels: int, channels: int) -> tuple[nn.Module, nn.Module]:
    """Build stem0 (stride 1); both inputs of the first cell are its output."""
    stem0 = nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
    )
    return stem0, nn.Identity()


def _imagenet_stem(in_channels: int, channels: int) -> tuple[nn.Module, nn.Module]:
    """Build stem0 (stride 4) and stem1 (stride 2)."""
    half = channels // 2
    stem0 = nn.Sequential(
        nn.Conv2d(in_channels, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    stem1 = nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    return stem0, stem1
