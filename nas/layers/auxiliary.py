"""The auxiliary heads of the evaluation networks: a second classifier two thirds up.

Source: DARTS (arXiv:1806.09055), Sec. 3.1 and 3.3, and its code.
Deviation: what the last convolution leaves is averaged to 1x1, because the reference only works
for images of 32x32 (CIFAR) or 224x224 (ImageNet), where the two are equal.
"""

from torch import nn


class AuxiliaryHeadCIFAR(nn.Sequential):
    """(N, C, 8, 8) -> (N, num_classes); height and width of at least 8."""

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=3, padding=0, count_include_pad=False),
            nn.Conv2d(in_channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(768, num_classes),
        )


class AuxiliaryHeadImageNet(nn.Sequential):
    """(N, C, 7, 7) -> (N, num_classes); height and width of at least 7.

    The second BatchNorm is missing, as in the reference.
    """

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=2, padding=0, count_include_pad=False),
            nn.Conv2d(in_channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(768, num_classes),
        )
