"""The sandglass: Table 1 and Eq. 4 of the MobileNeXt paper."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from nas.layers import (
    Sandglass,
    identity_channels,
    sandglass_hidden_channels,
)


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
