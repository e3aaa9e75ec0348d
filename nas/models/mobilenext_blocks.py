"""The blocks of MobileNeXt and of its ablations; each is built from a `BlockSpec` alone.

Shapes: (N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride)). dw is a depthwise 3x3
convolution, pw a pointwise one; none has a bias. A block factory is a function from a `BlockSpec`
to a module; the ones for `mobilenext(..., block=...)` are in `BLOCKS`.

Source: MobileNeXt (arXiv:2007.02269), Table 1, Fig. 4 and Sec. 4.4, and the authors' code.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

from torch import Tensor, nn

from nas.layers import DepthwiseConv2d, Sandglass, add_identity
from nas.models.mobilenext_table import BlockSpec


class Transition(nn.Module):
    """The first block of most stages as released, without the first depthwise convolution.

    pw M -> h + BN | pw h -> N + BN + ReLU6 | at stride 2: dw stride 2 + BN. At stride 1 there is no
    depthwise convolution at all, and the block ends with its ReLU6.
    """

    def __init__(self, spec: BlockSpec):
        super().__init__()
        self.conv = nn.Sequential(
            *_pointwise(spec.in_channels, spec.hidden_channels),
            *_pointwise(spec.hidden_channels, spec.out_channels),
            nn.ReLU6(inplace=True),
        )
        if spec.stride == 2:
            self.conv.extend(_depthwise(spec.out_channels, spec.stride))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return self.conv(x)


class LastReLU6(nn.Module):
    """A block followed by ReLU6 after its last convolution: Sec. 4.4, about 1 % worse.

    The activation comes before the sum of the shortcut.

    Deviation: derived from the text; no code of the authors has it.
    """

    def __init__(self, spec: BlockSpec):
        super().__init__()
        self.conv = cast(nn.Sequential, sandglass_block(spec).conv)
        if not isinstance(self.conv[-1], nn.ReLU6):
            self.conv.append(nn.ReLU6())  # not in place: the shortcut is added to its output
        self.shortcut_channels = spec.shortcut_channels

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return add_identity(self.conv(x), x, self.shortcut_channels)


class NarrowDepthwise(nn.Module):
    """Fig. 4 (a) and (b): the depthwise convolutions stand on the bottleneck.

    pw M -> h + BN | (b) only: dw + BN | dw + BN + ReLU6 | pw h -> N stride s + BN + ReLU6, and then
    the shortcut. A transition has one dw at stride 2 and none at stride 1.

    Deviation: (a) is derived, as (b) without the first of its two depthwise convolutions; (b) is
    the authors' code.
    """

    def __init__(self, spec: BlockSpec, num_depthwise: int):
        """Build the block.

        Args:
            spec: Its widths and stride.
            num_depthwise: 1 for Fig. 4 (a), 2 for (b).
        """
        super().__init__()
        if spec.is_transition:
            num_depthwise = 1 if spec.stride == 2 else 0
        hidden = spec.hidden_channels
        self.conv = nn.Sequential(*_pointwise(spec.in_channels, hidden))
        for _ in range(num_depthwise):
            self.conv.extend(_depthwise(hidden))
        if num_depthwise:
            self.conv.append(nn.ReLU6(inplace=True))
        self.conv.extend(_pointwise(hidden, spec.out_channels, spec.stride))
        self.conv.append(nn.ReLU6())  # not in place: the shortcut is added to its output
        self.shortcut_channels = spec.shortcut_channels

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate the block."""
        return add_identity(self.conv(x), x, self.shortcut_channels)


class Linked(NamedTuple):
    """What a block passes to the next one if their bottlenecks are joined."""

    output: Tensor
    """(N, C, H, W)."""
    bottleneck: Tensor
    """(N, h, H, W)."""


class BottleneckShortcut(nn.Module):
    """A sandglass whose shortcut joins the bottlenecks: Sec. 4.4, about 1 % worse.

    dw + BN + ReLU6 | pw M -> h + BN, + the bottleneck of the block before | pw h -> N + BN + ReLU6
    | dw stride s + BN. The wide ends are not joined. The bottlenecks of the repeats of a stage are
    joined with each other; the first block of a stage is as in the released model.

    Deviation: derived from the text; no code of the authors has it.
    """

    def __init__(self, spec: BlockSpec):
        super().__init__()
        self.reduce = nn.Sequential(
            *_depthwise(spec.in_channels),
            nn.ReLU6(inplace=True),
            *_pointwise(spec.in_channels, spec.hidden_channels),
        )
        self.expand = nn.Sequential(
            *_pointwise(spec.hidden_channels, spec.out_channels),
            nn.ReLU6(inplace=True),
            *_depthwise(spec.out_channels, spec.stride),
        )
        self.carries_bottleneck = spec.carries_bottleneck

    def forward(self, x: Tensor | Linked) -> Tensor | Linked:
        """Evaluate the block; what comes in and goes out is `Linked` inside a chain."""
        if isinstance(x, Linked):
            bottleneck = self.reduce(x.output) + x.bottleneck
        else:
            bottleneck = self.reduce(x)
        output = self.expand(bottleneck)
        return Linked(output, bottleneck) if self.carries_bottleneck else output


BlockFactory = Callable[[BlockSpec], nn.Module]


def sandglass_block(spec: BlockSpec) -> nn.Module:
    """Build the block of the released model: a `Transition` or a `Sandglass`."""
    if spec.is_transition:
        return Transition(spec)
    return Sandglass(
        spec.in_channels,
        spec.out_channels,
        spec.stride,
        hidden_channels=spec.hidden_channels,
        identity_ratio=spec.identity_ratio,
    )


def bottleneck_shortcut_block(spec: BlockSpec) -> nn.Module:
    """Build a `Transition` or a `BottleneckShortcut`."""
    return Transition(spec) if spec.is_transition else BottleneckShortcut(spec)


def fig4a_block(spec: BlockSpec) -> nn.Module:
    """Build the block of Fig. 4 (a), one depthwise convolution on the bottleneck."""
    return NarrowDepthwise(spec, num_depthwise=1)


def fig4b_block(spec: BlockSpec) -> nn.Module:
    """Build the block of Fig. 4 (b), two depthwise convolutions on the bottleneck."""
    return NarrowDepthwise(spec, num_depthwise=2)


BLOCKS: dict[str, BlockFactory] = {
    "sandglass": sandglass_block,
    "fig4a": fig4a_block,
    "fig4b": fig4b_block,
    "bottleneck_shortcut": bottleneck_shortcut_block,
    "last_relu6": LastReLU6,
}
"""The factories by the names that `mobilenext(block=...)` takes."""


def _pointwise(in_channels: int, out_channels: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    ]


def _depthwise(channels: int, stride: int = 1) -> list[nn.Module]:
    return [DepthwiseConv2d(channels, 3, stride), nn.BatchNorm2d(channels)]
