"""The plain form of a network: torch's own layers, one after the other, as in the DARTS code."""

import torch
from torch import Tensor, nn

from nas.layers import ConvSequence, DepthwiseConv2d, ReLU6
from nas.layers.conv import InterleavedConv


class StridedConvs(InterleavedConv):
    """Two convolutions of stride 2, the second on an image shifted by a pixel; even sizes only."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H / 2, W / 2)."""
        return torch.cat([self.conv_even(x), self.conv_odd(x[:, :, 1:, 1:])], dim=1)


_PLAIN = {
    ConvSequence: nn.Sequential,
    DepthwiseConv2d: nn.Conv2d,
    InterleavedConv: StridedConvs,
    ReLU6: nn.ReLU6,
}


def make_plain(net: nn.Module) -> nn.Module:
    """Give every layer that has a form of ours torch's class; returns the network.

    Weights, names and settings stay. A supernet must also be built with `by_source=False`.
    """
    for module in net.modules():
        for ours, plain in _PLAIN.items():
            if isinstance(module, ours):
                module.__class__ = plain
    return net
