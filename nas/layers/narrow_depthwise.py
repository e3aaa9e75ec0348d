"""Blocks whose depthwise convolutions are on the bottleneck.

Source: MobileNeXt (arXiv:2007.02269), Fig. 4 (a) and (b).
"""

from torch import Tensor, nn

from nas.layers.conv_norm import depthwise_norm, pointwise_norm, squeeze_excite
from nas.layers.relu6 import ReLU6
from nas.layers.sequence import ConvSequence
from nas.layers.shortcut import add_identity


class NarrowDepthwise(nn.Module):
    """Fig. 4 (a) and (b): the depthwise convolutions stand on the bottleneck.

    pw M -> h + BN | (b) only: dw + BN | dw + BN + ReLU6 | pw h -> N stride s + BN + ReLU6, and then
    the shortcut.

    Deviation: (a) is derived, as (b) without the first of its two depthwise convolutions; (b) is
    the authors' code.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        stride: int,
        *,
        num_depthwise: int,
        kernel_size: int = 3,
        squeeze_channels: int = 0,
        shortcut_channels: int = 0,
        affine: bool = True,
    ):
        """Build the block.

        Args:
            in_channels: M.
            hidden_channels: h, of the bottleneck.
            out_channels: N.
            stride: Of the last convolution.
            num_depthwise: 1 for Fig. 4 (a), 2 for (b); 0 has none and no activation inside.
            kernel_size: Of the depthwise convolutions.
            squeeze_channels: Of squeeze-and-excitation at the end; 0 is none.
            shortcut_channels: Channels that carry the sum; 0 is no shortcut.
            affine: Whether the BatchNorms have a scale and a shift.
        """
        super().__init__()
        self.conv = ConvSequence(*pointwise_norm(in_channels, hidden_channels, affine=affine))
        for _ in range(num_depthwise):
            self.conv.extend(depthwise_norm(hidden_channels, kernel_size, affine=affine))
        if num_depthwise:
            self.conv.append(ReLU6())
        self.conv.extend(pointwise_norm(hidden_channels, out_channels, stride, affine=affine))
        self.conv.append(nn.ReLU6())  # not in place: the shortcut is added to its output
        self.conv.extend(squeeze_excite(out_channels, squeeze_channels))
        self.shortcut_channels = shortcut_channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride))."""
        return add_identity(self.conv(x), x, self.shortcut_channels)
