"""Depthwise convolutions: our backward pass is torch's, to rounding."""

import pytest
import torch
import torch.nn.functional as F

from nas.layers import (
    DepthwiseConv2d,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


class TestDepthwise:
    @pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize("size", [(8, 8), (7, 9), (3, 4)])
    @pytest.mark.parametrize("dilation", [1, 2, 3])
    @pytest.mark.parametrize("stride", [1, 2, 3])
    @pytest.mark.parametrize("kernel_size", [3, 5, 7])
    def test_own_backward_pass(self, kernel_size, stride, dilation, size, memory_format):
        """Output and both gradients are those of torch's convolution."""
        conv = DepthwiseConv2d(3, kernel_size, stride, dilation).double()
        x = randn(2, 3, *size).to(memory_format=memory_format).requires_grad_()
        padding = dilation * (kernel_size // 2)
        expected = F.conv2d(x, conv.weight, None, stride, padding, dilation, groups=3)
        found = conv(x)
        direction = randn(*found.shape)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(
            torch.autograd.grad(found, (x, conv.weight), direction),
            torch.autograd.grad(expected, (x, conv.weight), direction),
        )

    @pytest.mark.parametrize(
        ("kernel_size", "stride", "dilation"), [(3, 1, 2), (3, 2, 2), (3, 2, 1), (5, 1, 1)]
    )
    def test_backward_pass_is_differentiable(self, kernel_size, stride, dilation):
        """Exact second-order search differentiates the backward pass."""
        conv = DepthwiseConv2d(2, kernel_size, stride, dilation).double()
        x = randn(1, 2, 5, 5, requires_grad=True)
        weight = randn(2, 1, kernel_size, kernel_size, requires_grad=True)
        call = torch.func.functional_call
        assert torch.autograd.gradgradcheck(
            lambda x, weight: call(conv, {"weight": weight}, (x,)), (x, weight)
        )
