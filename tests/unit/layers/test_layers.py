"""The blocks against their definitions, written out again with functions."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from nas.layers import (
    AuxiliaryHeadCIFAR,
    AuxiliaryHeadImageNet,
    DepthwiseConv2d,
    FactorizedReduce,
    ReLU6,
    Sandglass,
    avg_pool,
    drop_path,
    identity_channels,
    sandglass_hidden_channels,
)
from nas.layers.subsample import subsample


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


def sandglass_by_hand(block, x, stride):
    """Table 1 with torch.nn.functional only, BatchNorm in training mode."""
    dw1, pw1, pw2, dw2 = (p for p in block.parameters() if p.dim() == 4)
    y = F.conv2d(x, dw1, padding=1, groups=x.shape[1])
    y = F.relu6(F.batch_norm(y, None, None, training=True))
    y = F.batch_norm(F.conv2d(y, pw1), None, None, training=True)
    y = F.relu6(F.batch_norm(F.conv2d(y, pw2), None, None, training=True))
    y = F.conv2d(y, dw2, stride=stride, padding=1, groups=y.shape[1])
    return F.batch_norm(y, None, None, training=True)


class TestSandglass:
    @pytest.mark.parametrize(("stride", "out_channels"), [(1, 12), (2, 12), (1, 18), (2, 18)])
    def test_table_1(self, stride, out_channels):
        """Four layers in the order of the table; a shortcut only where the shapes agree."""
        block = Sandglass(12, out_channels, stride, affine=False).double()
        x = randn(3, 12, 7, 7)
        expected = sandglass_by_hand(block, x, stride)
        if stride == 1 and out_channels == 12:
            expected = expected + x
        torch.testing.assert_close(block(x), expected)

    @pytest.mark.parametrize("ratio", [0, 1 / 6, Fraction(1, 3), 1 / 3, 0.5, 1])
    def test_eq_4(self, ratio):
        """The first floor(M * ratio) channels carry the sum, the others the residual alone."""
        block = Sandglass(12, 12, identity_ratio=ratio, affine=False).double()
        x = randn(2, 12, 5, 5)
        expected = sandglass_by_hand(block, x, 1)
        num = round(12 * float(ratio))
        expected[:, :num] += x[:, :num]
        torch.testing.assert_close(block(x), expected)

    def test_partial_shortcut_has_the_right_gradient(self):
        """The in-place sum on some channels does not break autograd, twice over."""
        block = Sandglass(4, 4, reduction_ratio=2, identity_ratio=0.5).double().eval()
        x = randn(1, 4, 3, 3, requires_grad=True)
        assert torch.autograd.gradcheck(block, (x,))
        assert torch.autograd.gradgradcheck(block, (x,))

    @pytest.mark.parametrize("channels", range(1, 41))
    def test_hidden_channels(self, channels):
        """M / 6 rounded down, but never below one."""
        block = Sandglass(channels, channels)
        expected = max(1, channels // 6)
        assert sandglass_hidden_channels(channels, 6) == expected
        assert block.conv[3].out_channels == expected

    @pytest.mark.parametrize("channels", [192, 288, 384, 576, 960])
    def test_thirds_and_sixths_are_exact(self, channels):
        """1/3 and 1/6 as floats give the same channels as the fractions they mean."""
        for divisor in (1, 2, 3, 6):
            assert identity_channels(channels, 1 / divisor) == channels // divisor
            assert identity_channels(channels, Fraction(1, divisor)) == channels // divisor

    @pytest.mark.parametrize(
        "settings", [{"identity_ratio": 1.5}, {"identity_ratio": -0.1}, {"reduction_ratio": 0}]
    )
    def test_ratios_out_of_range(self, settings):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Sandglass(12, 12, **settings)


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


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(6, 4), (7, 5), (1, 1)])
class TestSubsample:
    def test_slices_and_their_gradient(self, size, memory_format):
        """Those of torch's slices; both have the memory format of the image."""
        x = randn(2, 3, *size).to(memory_format=memory_format).requires_grad_()
        offsets = (0, 1) if min(size) > 1 else (0,)
        found = subsample(x, 2, offsets)
        expected = tuple(x[:, :, i::2, i::2] for i in offsets)
        torch.testing.assert_close(found, expected)
        directions = [randn(*part.shape) for part in found]
        (gradient,) = torch.autograd.grad(found, x, directions)
        torch.testing.assert_close(gradient, *torch.autograd.grad(expected, x, directions))
        for tensor in (*found, gradient):
            assert tensor.is_contiguous(memory_format=memory_format)

    def test_derivatives(self, size, memory_format):
        """By finite differences, of the backward pass as well."""
        x = randn(1, 2, *size).to(memory_format=memory_format).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: subsample(x, 2), (x,))
        assert torch.autograd.gradgradcheck(lambda x: subsample(x.square(), 2), (x,))


class TestReLU6:
    def test_output_and_both_derivatives(self):
        """Those of torch's, at 0 and 6 too; it changes its input."""
        x = torch.tensor([-1.0, 0.0, 1e-9, 3.0, 6.0, 7.0], dtype=torch.float64, requires_grad=True)
        direction = randn(6)
        y = x * 1
        found = ReLU6()(y)
        assert found is y
        expected = F.relu6(x)
        torch.testing.assert_close(found, expected)
        gradients = [torch.autograd.grad(z, x, direction) for z in (found, expected)]
        torch.testing.assert_close(*gradients)
        smooth = torch.tensor([-1.0, 0.5, 5.0, 8.0], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradgradcheck(lambda x: ReLU6()(x * x), (smooth,))

    def test_keeps_its_output_only(self):
        """One tensor, the one that it returns."""
        saved = []
        x = randn(4, requires_grad=True) * 1
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
        ):
            y = ReLU6()(x)
        assert [tensor.data_ptr() for tensor in saved] == [y.data_ptr()]


class TestFactorizedReduce:
    @pytest.mark.parametrize("size", [(8, 8), (7, 8), (8, 7), (7, 7), (1, 1)])
    def test_reads_even_and_odd_pixels(self, size):
        """One half reads the even pixels, the other the odd ones, zeros where there are none."""
        block = FactorizedReduce(4, 6, affine=False).double()
        x = randn(2, 4, *size)
        even, odd = (p for p in block.parameters())
        r = F.relu(x)
        rows, columns = -(-size[0] // 2), -(-size[1] // 2)
        padded = torch.zeros(2, 4, 2 * rows, 2 * columns, dtype=torch.float64)
        padded[:, :, : size[0], : size[1]] = r
        first = torch.einsum("nchw,oc->nohw", padded[:, :, 0::2, 0::2], even[:, :, 0, 0])
        second = torch.einsum("nchw,oc->nohw", padded[:, :, 1::2, 1::2], odd[:, :, 0, 0])
        expected = F.batch_norm(torch.cat([first, second], 1), None, None, training=True)
        torch.testing.assert_close(block(x), expected)


def test_average_pooling_counts_real_pixels_only():
    """A constant image stays constant up to its border."""
    assert torch.equal(avg_pool(1)(torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 5, 5))


class TestDropPath:
    def test_whole_images_are_dropped_and_the_others_scaled(self):
        """Each image is all zero or divided by the probability of keeping it."""
        x = torch.rand(1000, 2, 3, 3) + 0.5
        y = drop_path(x, 0.3)
        kept = (y != 0).flatten(1).all(dim=1)
        assert torch.equal((y != 0).flatten(1).any(dim=1), kept)
        torch.testing.assert_close(y[kept], x[kept] / 0.7)
        assert abs(kept.double().mean() - 0.7) < 4 * (0.3 * 0.7 / 1000) ** 0.5

    def test_zero_is_the_identity(self):
        x = torch.rand(2, 1, 2, 2)
        assert drop_path(x, 0.0) is x


@pytest.mark.parametrize(("head", "size"), [(AuxiliaryHeadCIFAR, 8), (AuxiliaryHeadImageNet, 7)])
def test_auxiliary_heads(head, size):
    """At the reference's size the last convolution leaves one pixel, so averaging is no change."""
    module = head(6, 10).eval()
    x = torch.randn(2, 6, size, size)
    pool = next(layer for layer in module if isinstance(layer, torch.nn.AdaptiveAvgPool2d))
    seen = []
    pool.register_forward_hook(lambda _, inputs, output: seen.append((*inputs, output)))
    module(x)
    before, after = seen[0]
    assert before.shape == (2, 768, 1, 1) and torch.equal(before, after)
    assert module(x).shape == (2, 10)
    assert module(torch.randn(2, 6, 16, 16)).shape == (2, 10)
