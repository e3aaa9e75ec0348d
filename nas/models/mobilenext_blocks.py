"""The blocks of MobileNeXt and of its ablations; each is built from a `BlockSpec` alone.

Shapes: (N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride)). dw is a depthwise 3x3
convolution, pw a pointwise one; none has a bias. A block factory is a function from a `BlockSpec`
to a module; the ones for `mobilenext(..., block=...)` are in `BLOCKS`.

Source: MobileNeXt (arXiv:2007.02269), Table 1, Fig. 4 and Sec. 4.4, and the authors' code.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

from torch import Tensor, nn

from nas.layers import NarrowDepthwise, Sandglass, Transition, add_identity
from nas.layers.conv_norm import depthwise_norm, pointwise_norm
from nas.models.mobilenext_table import BlockSpec


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
            *depthwise_norm(spec.in_channels),
            nn.ReLU6(inplace=True),
            *pointwise_norm(spec.in_channels, spec.hidden_channels),
        )
        self.expand = nn.Sequential(
            *pointwise_norm(spec.hidden_channels, spec.out_channels),
            nn.ReLU6(inplace=True),
            *depthwise_norm(spec.out_channels, stride=spec.stride),
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
        return _transition(spec)
    return Sandglass(
        spec.in_channels,
        spec.out_channels,
        spec.stride,
        hidden_channels=spec.hidden_channels,
        identity_ratio=spec.identity_ratio,
    )


def bottleneck_shortcut_block(spec: BlockSpec) -> nn.Module:
    """Build a `Transition` or a `BottleneckShortcut`."""
    return _transition(spec) if spec.is_transition else BottleneckShortcut(spec)


def fig4a_block(spec: BlockSpec) -> nn.Module:
    """Build the block of Fig. 4 (a), one depthwise convolution on the bottleneck."""
    return _narrow_depthwise(spec, 1)


def fig4b_block(spec: BlockSpec) -> nn.Module:
    """Build the block of Fig. 4 (b), two depthwise convolutions on the bottleneck."""
    return _narrow_depthwise(spec, 2)


BLOCKS: dict[str, BlockFactory] = {
    "sandglass": sandglass_block,
    "fig4a": fig4a_block,
    "fig4b": fig4b_block,
    "bottleneck_shortcut": bottleneck_shortcut_block,
    "last_relu6": LastReLU6,
}
"""The factories by the names that `mobilenext(block=...)` takes."""


def _transition(spec: BlockSpec) -> Transition:
    return Transition(spec.in_channels, spec.hidden_channels, spec.out_channels, spec.stride)


def _narrow_depthwise(spec: BlockSpec, num_depthwise: int) -> NarrowDepthwise:
    """Build a block of Fig. 4; a transition has one dw at stride 2 and none at stride 1."""
    if spec.is_transition:
        num_depthwise = 1 if spec.stride == 2 else 0
    return NarrowDepthwise(
        spec.in_channels,
        spec.hidden_channels,
        spec.out_channels,
        spec.stride,
        num_depthwise=num_depthwise,
        shortcut_channels=spec.shortcut_channels,
    )
