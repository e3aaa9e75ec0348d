"""The modules of a chain's blocks: layers by hand, and counts to the unit."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas.operators.blocks import build_block
from nas.runtime.complexity import count_madds, count_parameters
from nas.space.blocks import BLOCK_KINDS, Candidate

SEARCHED = [name for name, kind in BLOCK_KINDS.items() if kind.can_be_searched]


def counted(block, size):
    with torch.device("meta"):
        module = nn.Sequential(build_block(block))
    return count_madds(module, (block.in_channels, size, size)), count_parameters(module)


@pytest.mark.parametrize("name", BLOCK_KINDS)
@pytest.mark.parametrize("se", [False, True])
@pytest.mark.parametrize("place", ["first, stride 2", "first, stride 1", "repeat", "fixed"])
def test_cost_is_that_of_the_module(name, se, place):
    """The arithmetic of `Block.cost` against counting what runs."""
    candidate = Candidate(name, 3, 5 if se else 3, se and name != "conv")
    in_channels = 48 if place == "repeat" else 40
    stride = 2 if "2" in place else 1
    block = candidate.block_at(in_channels, 48, stride, is_fixed=place == "fixed")
    assert tuple(block.cost(9)) == counted(block, 9)


def by_hand(module, x, layers):
    """Apply (kind, activation) to the convolutions of a module in order; BatchNorm of the batch."""
    convs = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    for conv, activation in zip(convs, layers, strict=True):
        kernel = conv.weight.shape[-1]
        x = F.conv2d(x, conv.weight, None, conv.stride, kernel // 2, groups=conv.groups)
        x = F.batch_norm(x, None, None, training=True)
        x = activation(x)
    return x


def linear(x):
    return x


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("sandglass", (F.relu6, linear, F.relu6, linear)),
        ("fig4a", (linear, F.relu6, F.relu6)),
        ("fig4b", (linear, linear, F.relu6, F.relu6)),
        ("inverted_residual", (F.relu6, F.relu6, linear)),
    ],
)
@pytest.mark.parametrize("kernel", [3, 7])
def test_a_repeat_by_hand(name, layers, kernel):
    """The layers of the papers with any kernel, and the whole shortcut."""
    torch.manual_seed(0)
    block = Candidate(name, 4, kernel).block_at(16, 16, 1)
    module = build_block(block, affine=False).double().train()
    x = torch.randn(2, 16, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(module(x), x + by_hand(module, x, layers))
    sizes = {m.kernel_size[0] for m in module.modules() if isinstance(m, nn.Conv2d)}
    assert sizes == {1, kernel}


@pytest.mark.parametrize(("stride", "layers"), [(1, 2), (2, 3)])
def test_a_first_layer_by_hand(stride, layers):
    """No depthwise convolution before the bottleneck, at stride 1 none at all."""
    torch.manual_seed(0)
    block = Candidate("sandglass", 3, 5).block_at(16, 24, stride)
    module = build_block(block, affine=False).double().train()
    x = torch.randn(2, 16, 9, 9, dtype=torch.float64)
    expected = by_hand(module, x, (linear, F.relu6, linear)[:layers])
    assert expected.shape == (2, 24, -(-9 // stride), -(-9 // stride))
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize("name", SEARCHED)
def test_squeeze_and_excitation_scales_channels(name):
    """With a gate that is open everywhere the block is the plain one."""
    torch.manual_seed(0)
    block = Candidate(name, 4, se=True).block_at(16, 16, 1)
    with_se = build_block(block, affine=False).double()
    plain = build_block(replace(block, squeeze_channels=0), affine=False).double()
    (gate,) = (m for m in with_se.modules() if type(m).__name__ == "SqueezeExcitation")
    assert gate.fc1.in_channels == gate.fc2.out_channels == block.se_channels
    nn.init.zeros_(gate.fc2.weight)
    nn.init.constant_(gate.fc2.bias, 100.0)
    convs = [m for m in with_se.modules() if isinstance(m, nn.Conv2d) and m.bias is None]
    for conv, other in zip(
        (m for m in plain.modules() if isinstance(m, nn.Conv2d)), convs, strict=True
    ):
        conv.weight = other.weight
    x = torch.randn(2, 16, 9, 9, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(with_se(x), plain(x))
    with_se(x).sum().backward()  # the sum of the shortcut is in place: autograd must not mind


def test_a_part_of_the_channels_takes_the_shortcut():
    """The identity tensor multiplier, for blocks that are wide between blocks."""
    for name in ("sandglass", "fig4b"):
        block = Candidate(name, 4).block_at(16, 16, 1)
        assert build_block(block, identity_ratio=0.5).shortcut_channels == 8
        assert build_block(replace(block, has_shortcut=False, stride=2)).shortcut_channels == 0
