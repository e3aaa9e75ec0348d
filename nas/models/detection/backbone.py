"""The backbones of SSDLite: two feature maps of a classifier, and the extra layers after it.

Levels at 320 x 320: 20 x 20 and 10 x 10 from the classifier; 5 x 5, 3 x 3, 2 x 2 and 1 x 1 from the
extra layers.

Source: MobileNeXt (arXiv:2007.02269), Table 8, and the authors' SSDLite code.
"""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual

from nas.layers import DepthwiseConv2d, initialize, run_layers
from nas.models.features import FeatureNetwork
from nas.models.mobilenet_v2 import MobileNetV2
from nas.models.mobilenext import MobileNeXt

_MOBILENEXT_TAPS = (13, 20)
"""The first block of the 576 stage and the block of the 1280 stage, counted from the stem."""
_MOBILENET_V2_TAPS = (13, 18)
"""The last block of the 96 stage and the last convolution."""
_MOBILENEXT_EXTRAS = ((256, 512), (128, 256), (128, 256), (128, 128))
"""Bottleneck and output channels."""
_MOBILENET_V2_EXTRAS = ((512, 0.2), (256, 0.5), (256, 0.5), (64, 0.5))
"""Output channels and expansion."""


class MobileNeXtMaps(nn.Module):
    """MobileNeXt without its classifier; its maps are taken where a block is widest.

    A map is what enters the last depthwise convolution of its block, so that the detector sees the
    high resolution before a stride.
    """

    channels: tuple[int, int]

    def __init__(self, net: MobileNeXt):
        """Take the layers of a network."""
        super().__init__()
        self.features = net.features
        self.channels = cast(
            tuple[int, int],
            tuple(cast(nn.Conv2d, self._layers(tap)[-2]).in_channels for tap in _MOBILENEXT_TAPS),
        )

    def _layers(self, index: int) -> list[nn.Module]:
        return list(cast(nn.Sequential, self.features[index].conv))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the two maps, and the output of the last block."""
        maps = []
        for index, layer in enumerate(self.features):
            if index in _MOBILENEXT_TAPS:  # these blocks have no shortcut
                *before, depthwise, norm = self._layers(index)
                maps.append(run_layers(before, x))
                x = norm(depthwise(maps[-1]))
            else:
                x = layer(x)
        return maps, x


class MobileNetV2Maps(nn.Module):
    """MobileNetV2 without its classifier; its maps are the outputs of two layers."""

    channels: tuple[int, int]

    def __init__(self, net: MobileNetV2):
        """Take the layers of a network."""
        super().__init__()
        self.features = net.features
        norms = [
            [m for m in self.features[tap].modules() if isinstance(m, nn.BatchNorm2d)][-1]
            for tap in _MOBILENET_V2_TAPS
        ]
        self.channels = norms[0].num_features, norms[1].num_features

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the two maps, and the output of the last layer."""
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _MOBILENET_V2_TAPS:
                maps.append(x)
        return maps, x


def take_maps(net: FeatureNetwork) -> MobileNeXtMaps | MobileNetV2Maps:
    """Return the part of a classifier that a detector needs."""
    return (
        MobileNetV2Maps(net)
        if isinstance(net, MobileNetV2)
        else MobileNeXtMaps(cast(MobileNeXt, net))
    )


def make_extras(maps: MobileNeXtMaps | MobileNetV2Maps) -> tuple[nn.ModuleList, Sequence[int]]:
    """Build the four extra layers, each with stride 2; return them and their output channels."""
    channels = maps.channels[-1]
    extras = nn.ModuleList()
    widths = []
    if isinstance(maps, MobileNetV2Maps):
        for width, expansion in _MOBILENET_V2_EXTRAS:
            extras.append(InvertedResidual(channels, width, 2, cast(int, expansion)))
            widths.append(channels := width)
    else:
        for hidden, width in _MOBILENEXT_EXTRAS:
            extras.append(_extra(channels, hidden, width))
            widths.append(channels := width)
    initialize(extras)
    return extras, widths


def _extra(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    """Build dw stride 2 + BN + ReLU6 | pw M -> h + BN | pw h -> N + BN + ReLU6."""
    return nn.Sequential(
        DepthwiseConv2d(in_channels, 3, 2),
        nn.BatchNorm2d(in_channels),
        nn.ReLU6(inplace=True),
        nn.Conv2d(in_channels, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.Conv2d(hidden, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )
