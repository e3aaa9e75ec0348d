"""MobileNetV2, the baseline: torchvision's network, and two other blocks in it.

Shapes of the blocks: (N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride)). dw is a
depthwise 3x3 convolution, pw a pointwise one; none has a bias. t is the expansion ratio, and the
one stage with t = 1 has no pointwise expansion.

Source: MobileNetV2 (arXiv:1801.04381), Table 2; MobileNeXt (arXiv:2007.02269), Tables 5 and 10.
"""

from collections.abc import Callable

import torchvision
from torch import Tensor, nn

from nas.errors import ConfigError, close_matches, shown
from nas.layers import DepthwiseConv2d, with_fast_forms
from nas.models.features import FeatureNetwork
from nas.models.settings import check_count, check_probability, check_width

STAGES = (
    # t, c, n, s
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Table 2 of MobileNetV2, in its order."""


class TwoDepthwise(nn.Module):
    """An inverted residual with a second depthwise convolution in the middle: Table 5.

    pw expand + BN + ReLU6 | dw + BN | dw stride s + BN + ReLU6 | pw + BN, and x where M = N and
    s = 1.

    Deviation: derived from the table's counts (3.6 M, 340 M) and from lines that the authors' code
    has as comments.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ):
        """Build the block; the names of the settings are torchvision's."""
        super().__init__()
        hidden = in_channels * expand_ratio
        expand = [_pointwise(in_channels, hidden, norm_layer), nn.ReLU6()]
        self.conv = nn.Sequential(
            *(expand if expand_ratio != 1 else []),
            _depthwise(hidden, 1, norm_layer),
            _depthwise(hidden, stride, norm_layer),
            nn.ReLU6(),
            _pointwise(hidden, out_channels, norm_layer),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class OuterDepthwise(nn.Module):
    """Fig. 4 (c): both depthwise convolutions on the narrow ends of an inverted residual.

    dw + BN + ReLU6 | pw expand + BN + ReLU6 | pw stride s + BN | dw + BN + ReLU6, and x where
    M = N and s = 1. At t = 1 it is `TwoDepthwise`, without a shortcut.

    Source: the authors' code.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Callable[[int], nn.Module] = nn.BatchNorm2d,
    ):
        """Build the block; the names of the settings are torchvision's."""
        super().__init__()
        if expand_ratio == 1:
            self.conv = TwoDepthwise(in_channels, out_channels, stride, 1, norm_layer).conv
        else:
            hidden = in_channels * expand_ratio
            self.conv = nn.Sequential(
                _depthwise(in_channels, 1, norm_layer),
                nn.ReLU6(),
                _pointwise(in_channels, hidden, norm_layer),
                nn.ReLU6(),
                _pointwise(hidden, out_channels, norm_layer, stride),
                _depthwise(out_channels, 1, norm_layer),
                nn.ReLU6(),
            )
        self.has_shortcut = stride == 1 and in_channels == out_channels and expand_ratio != 1

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


BLOCKS = {
    "inverted_residual": torchvision.models.mobilenetv2.InvertedResidual,
    "two_dw": TwoDepthwise,
    "fig4c": OuterDepthwise,
}
"""The blocks by the names that `mobilenet_v2(block=...)` takes."""


class MobileNetV2(FeatureNetwork, torchvision.models.MobileNetV2):
    """torchvision's network with feature maps; its checkpoints load as they are."""

    def __init__(
        self,
        width_mult: float,
        block: Callable[..., nn.Module],
        *,
        num_classes: int = 1000,
        dropout: float = 0.2,
    ):
        """Build the network; `mobilenet_v2` describes and checks the settings."""
        torchvision.models.MobileNetV2.__init__(
            self,
            num_classes,
            width_mult,
            [list(stage) for stage in STAGES],
            block=block,
            dropout=dropout,
        )
        for index, layer in enumerate(self.features):
            self.features[index] = with_fast_forms(layer)
        strides = [
            stride if index == 0 else 1
            for _, _, num_blocks, stride in STAGES
            for index in range(num_blocks)
        ]
        self._set_resolutions(
            [
                (stride, _out_channels(layer))
                for stride, layer in zip([2, *strides, 1], self.features, strict=True)
            ]
        )


def mobilenet_v2(
    width_mult: float = 1.0,
    num_classes: int = 1000,
    *,
    block: str | Callable[..., nn.Module] = "inverted_residual",
    dropout: float = 0.2,
) -> MobileNetV2:
    """Build MobileNetV2: torchvision's, with its rounding of widths.

    Args:
        width_mult: Width multiplier, in (0, 10].
        num_classes: Of the data set.
        block: "inverted_residual"; "two_dw", with a second depthwise convolution in the middle
            (Table 5); "fig4c", with both at the narrow ends (Fig. 4 (c), which the authors train
            with `dropout=0`); or a function as torchvision's MobileNetV2 takes it.
        dropout: Before the classifier, in [0, 1).

    Raises:
        ConfigError: A setting is unknown or out of range.

    Source: MobileNetV2 (arXiv:1801.04381); MobileNeXt (arXiv:2007.02269), Tables 3, 5 and 10.
    """
    check_width(width_mult)
    check_count("num_classes", num_classes)
    check_probability("dropout", dropout)
    if isinstance(block, str):
        if block not in BLOCKS:
            raise ConfigError(f"block: {shown(block)} is unknown; {close_matches(block, BLOCKS)}")
        block = BLOCKS[block]
    assert not isinstance(block, str)
    return MobileNetV2(width_mult, block, num_classes=num_classes, dropout=dropout)


def _out_channels(layer: nn.Module) -> int:
    """Return the channels of the last BatchNorm, which are those of the layer."""
    return [m.num_features for m in layer.modules() if isinstance(m, nn.BatchNorm2d)][-1]


def _pointwise(
    in_channels: int, out_channels: int, norm_layer: Callable[[int], nn.Module], stride: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
    return nn.Sequential(conv, norm_layer(out_channels))


def _depthwise(channels: int, stride: int, norm_layer: Callable[[int], nn.Module]) -> nn.Sequential:
    return nn.Sequential(DepthwiseConv2d(channels, 3, stride), norm_layer(channels))
