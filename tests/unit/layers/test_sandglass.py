"""The sandglass: Table 1 and Eq. 4 of the MobileNeXt paper."""

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas.layers import (
    Sandglass,
    identity_channels,
    sandglass_hidden_channels,
)
from tests.derivatives import FORMATS, assert_same, derivatives, leaf


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def sandglass_by_hand(block, x, stride):
    """Table 1 with torch.nn.functional only."""
    norms = iter([m for m in block.modules() if isinstance(m, nn.BatchNorm2d)])

    def normalize(y):
        norm = next(norms)
        statistics = (None, None) if block.training else (norm.running_mean, norm.running_var)
        return F.batch_norm(y, *statistics, training=block.training)

    dw1, pw1, pw2, dw2 = (p for p in block.parameters() if p.dim() == 4)
    y = F.relu6(normalize(F.conv2d(x, dw1, padding=1, groups=x.shape[1])))
    y = normalize(F.conv2d(y, pw1))
    y = F.relu6(normalize(F.conv2d(y, pw2)))
    return normalize(F.conv2d(y, dw2, stride=stride, padding=1, groups=y.shape[1]))


def build(*channels_and_stride, memory_format, training=True, **settings):
    block = Sandglass(*channels_and_stride, affine=False, **settings).double().train(training)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.01, 0.1)
    return block.to(memory_format=memory_format)


@FORMATS
@pytest.mark.parametrize("training", [True, False])
class TestAgainstThePaper:
    @pytest.mark.parametrize(("stride", "out_channels"), [(1, 12), (2, 12), (1, 18), (2, 18)])
    def test_table_1(self, stride, out_channels, training, memory_format):
        """Four layers in the order of the table; a shortcut only where the shapes agree."""
        block = build(12, out_channels, stride, memory_format=memory_format, training=training)
        x = leaf(3, 12, 7, 7, memory_format=memory_format)
        expected = sandglass_by_hand(block, x, stride)
        if stride == 1 and out_channels == 12:
            expected = expected + x
        inputs = (x, *block.parameters())
        expected = derivatives(expected, inputs)
        assert_same(derivatives(block(x), inputs), expected)

    @pytest.mark.parametrize("channels", [12, 24])
    @pytest.mark.parametrize("ratio", [0, 1 / 6, Fraction(1, 3), 1 / 3, 0.5, 1])
    def test_eq_4(self, ratio, channels, training, memory_format):
        """The first floor(M * ratio) channels carry the sum, the others the residual alone."""
        settings = {"identity_ratio": ratio, "memory_format": memory_format, "training": training}
        block = build(channels, channels, **settings)
        x = leaf(2, channels, 5, 5, memory_format=memory_format)
        num = round(channels * float(ratio))
        shortcut = torch.cat([x[:, :num], torch.zeros_like(x[:, num:])], dim=1)
        inputs = (x, *block.parameters())
        expected = derivatives(sandglass_by_hand(block, x, 1) + shortcut, inputs)
        assert_same(derivatives(block(x), inputs), expected)


class TestSandglass:
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
