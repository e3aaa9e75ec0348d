"""The sandglass block: depthwise convolutions where the channels are many, a bottleneck between.

Source: MobileNeXt (arXiv:2007.02269), Sec. 3.2, Table 1 and Eq. 4.
"""

from fractions import Fraction

from torch import Tensor, nn

from nas.layers.conv_norm import depthwise_norm, pointwise_norm, squeeze_excite
from nas.layers.relu6 import ReLU6
from nas.layers.sequence import ConvSequence
from nas.layers.shortcut import add_identity, identity_channels


def sandglass_hidden_channels(channels: int, reduction_ratio: int) -> int:
    """Return the width of the bottleneck: max(1, channels // reduction_ratio).

    Table 1 writes M / t. For widths that t does not divide it is rounded down, so that 16 channels
    at ratio 6 have 2, and it never falls below one channel: for fewer channels than
    `reduction_ratio` the bottleneck is a single channel.
    """
    return max(1, channels // reduction_ratio)


class Sandglass(nn.Module):
    """The four layers of Table 1 and the shortcut.

    dw 3x3 + BN + ReLU6 | pw M -> M/t + BN | pw M/t -> N + BN + ReLU6 | dw 3x3 stride s + BN,
    and x is added where M = N and s = 1. There is no activation before the first layer and none
    after the bottleneck or the last layer, so that the shortcut and the bottleneck are linear.

    Eq. 4: with an `identity_ratio` below 1 only the first floor(M * identity_ratio) channels get
    the sum; the others take no shortcut.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        reduction_ratio: int = 6,
        hidden_channels: int | None = None,
        kernel_size: int = 3,
        squeeze_channels: int = 0,
        identity_ratio: float | Fraction = 1,
        affine: bool = True,
    ):
        """Build the block.

        Args:
            in_channels: M.
            out_channels: N.
            stride: Of the last depthwise convolution.
            reduction_ratio: t; the bottleneck has `sandglass_hidden_channels(M, t)` channels.
            hidden_channels: The width of the bottleneck where another rule gives it; None takes
                that of `reduction_ratio`.
            kernel_size: Of both depthwise convolutions.
            squeeze_channels: Of squeeze-and-excitation, last on the residual branch; 0 is none.
            identity_ratio: The identity tensor multiplier, in [0, 1]; 1 is the plain shortcut
                and 0 is none.
            affine: Whether the BatchNorms have a scale and a shift.

        Raises:
            ValueError: A ratio is out of range.
        """
        super().__init__()
        if reduction_ratio < 1:
            raise ValueError(f"reduction_ratio is {reduction_ratio}; it must be at least 1")
        if not 0 <= identity_ratio <= 1:
            raise ValueError(f"identity_ratio is {identity_ratio}; it must be in [0, 1]")
        hidden = hidden_channels or sandglass_hidden_channels(in_channels, reduction_ratio)
        self.conv = ConvSequence(
            *depthwise_norm(in_channels, kernel_size, affine=affine),
            ReLU6(),
            *pointwise_norm(in_channels, hidden, affine=affine),
            *pointwise_norm(hidden, out_channels, affine=affine),
            ReLU6(),
            *depthwise_norm(out_channels, kernel_size, stride, affine=affine),
            *squeeze_excite(out_channels, squeeze_channels),
        )
        has_shortcut = stride == 1 and in_channels == out_channels
        self.shortcut_channels = (
            identity_channels(in_channels, identity_ratio) if has_shortcut else 0
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, M, H, W) -> (N, N, ceil(H / stride), ceil(W / stride))."""
        return add_identity(self.conv(x), x, self.shortcut_channels)
