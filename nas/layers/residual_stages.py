"""The skeleton of NAS-Bench-201: three stages of cells with fixed residual blocks between them.

    stem | N cells at C | block C -> 2C | N cells at 2C | block 2C -> 4C | N cells at 4C | BN, ReLU,
    global average pooling, linear

Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2.1 and Fig. 1. The last BatchNorm and ReLU are not
in the paper's figure but in its code.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers.conv import ReLUConvBN

NUM_STAGES = 3


class ReductionBlock(nn.Module):
    """The residual block between two stages, which halves the resolution.

    y = conv1x1(avgpool2x2(x)) + BN(conv3x3(ReLU(BN(conv3x3_stride2(ReLU(x))))))

    Deviation: an odd size is rounded up in both branches, where the code of the benchmark fails;
    equal on even sizes.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.body = nn.Sequential(
            ReLUConvBN(in_channels, out_channels, 3, 2, affine=True),
            ReLUConvBN(out_channels, out_channels, 3, 1, affine=True),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, ceil(H / 2), ceil(W / 2))."""
        return self.shortcut(x) + self.body(x)


class ResidualStages(nn.Module):
    """The skeleton around the cells."""

    def __init__(
        self,
        make_cell: Callable[[int], nn.Module],
        in_channels: int,
        num_classes: int,
        init_channels: int,
        num_cells: int,
    ):
        """Build the network.

        Args:
            make_cell: Builds a cell, which keeps its shape, from its number of channels.
            in_channels: Of the images.
            num_classes: Of the data set.
            init_channels: C of the first stage.
            num_cells: N, the cells of each stage.
        """
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, init_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(init_channels),
        )
        self.cells = nn.ModuleList()
        channels = init_channels
        for stage in range(NUM_STAGES):
            if stage:
                self.cells.append(ReductionBlock(channels, 2 * channels))
                channels *= 2
            self.cells.extend(make_cell(channels) for _ in range(num_cells))
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, num_classes)

    def classify(self, x: Tensor, *cell_arguments: Any) -> Tensor:
        """Return logits, (N, num_classes), of images (N, in_channels, H, W).

        Args:
            x: Images.
            *cell_arguments: What every cell receives after its input.
        """
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x) if isinstance(cell, ReductionBlock) else cell(x, *cell_arguments)
        x = self.last(x)
        # Global pooling whose gradient has the memory format of x; adaptive pooling's is NCHW.
        return self.classifier(F.avg_pool2d(x, x.shape[-2:]).flatten(1))
