"""Depthwise convolutions: our backward pass is torch's, to rounding."""

import pytest
import torch
import torch.nn.functional as F

from nas.layers import DepthwiseConv2d
from nas.layers.depthwise import convolve_depthwise
from tests.derivatives import FORMATS, assert_same, derivatives, leaf


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def by_torch(x, weight, stride, dilation):
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))


@FORMATS
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [3, 5, 7])
class TestDepthwise:
    @pytest.mark.parametrize("size", [(8, 8), (7, 9), (3, 4)])
    def test_own_backward_pass(self, kernel_size, stride, dilation, size, memory_format):
        """Output, gradients and curvature are those of torch's convolution."""
        conv = DepthwiseConv2d(3, kernel_size, stride, dilation).double()
        conv.to(memory_format=memory_format)
        x = leaf(2, 3, *size, memory_format=memory_format)
        inputs = (x, conv.weight)
        expected = by_torch(*inputs, stride, dilation)
        assert_same(derivatives(conv(x), inputs), derivatives(expected, inputs))

    def test_several_kernels_on_each_channel(self, kernel_size, stride, dilation, memory_format):
        """As if the channels were repeated; their gradients add up."""
        x = leaf(2, 2, 5, 6, memory_format=memory_format)
        inputs = (x, leaf(6, 1, kernel_size, kernel_size))
        found = convolve_depthwise(*inputs, stride, dilation)
        expected = by_torch(torch.cat([x] * 3, dim=1), inputs[1], stride, dilation)
        assert_same(derivatives(found, inputs), derivatives(expected, inputs))
