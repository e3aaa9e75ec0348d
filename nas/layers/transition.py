"""The first block of most stages of MobileNeXt as released, which changes the width.

Source: MobileNeXt (arXiv:2007.02269), the authors' code.
"""

from torch import Tensor, nn

from nas.layers.conv_norm import depthwise_norm, pointwise_norm, squeeze_excite
from nas.layers.relu6 import ReLU6
from nas.layers.sequence import ConvSequence


class Transition(nn.Module):
    """A sandglass without the first depthwise convolution.

    pw M -> h + BN | pw h -> N + BN + ReLU6 | at stride 2: dw stride 2 + BN. At stride 1 there is no
    depthwise convolution at all, and the block ends with its ReLU6.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        stride: int,
        *,
        kernel_size: int = 3,
        squeeze_channels: int = 0,
        affine: bool = True,
    ):
        """Build the block.

        Args:
            in_channels: M.
            hidden_channels: h, of the bottleneck.
            out_channels: N.
            stride: 1 or 2.
            kernel_size: Of the depthwise convolution at stride 2.
            squeeze_channels: Of squeeze-and-excitation at the end; 0 is none.
            affine: Whether the BatchNorms have a scale and a shift.
        """
        super().__init__()
        self.conv = ConvSequence(
            *pointwise_norm(in_channels, hidden_channels, affine=affine),
            *pointwise_norm(hidden_channels, out_channels, affine=affine),
            ReLU6(),
        )
        if stride == 2:
            self.conv.extend(depthwise_norm(out_channels, kernel_size, stride, affine=affine))
        self.conv.extend(squeeze_excite(out_channels, squeeze_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, M, H, W) -> (N, N_out, ceil(H / stride), ceil(W / stride))."""
        return self.conv(x)
