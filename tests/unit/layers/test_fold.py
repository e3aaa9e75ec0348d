"""Folded BatchNorms in a copy to measure with; tests/unit/deploy has them in whole networks."""

import copy
from types import MethodType

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from nas.layers import FactorizedReduce, Sandglass, SepConv, folded, inverted_residual
from nas.runtime.compute import Compute
from tests.derivatives import TOLERANCE

BLOCKS = {
    "separable": lambda: SepConv(20, 3, 1, affine=True),
    "sandglass": lambda: Sandglass(20, 20),
    "inverted residual": lambda: inverted_residual(20, 20, 1, affine=True),
    "reduction": lambda: FactorizedReduce(20, 24, affine=True),
}


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("name", BLOCKS)
def test_a_copy_without_norms_has_the_same_output(name, memory_format):
    """The network, its mode and its input stay as they are."""
    torch.manual_seed(0)
    net = BLOCKS[name]().double().to(memory_format=memory_format)
    x = torch.randn(2, 20, 6, 6, dtype=torch.float64).to(memory_format=memory_format)
    net(x)  # moves the running statistics
    before, input_before = copy.deepcopy(net.state_dict()), x.clone()
    found = folded(net)
    assert net.training and not found.training
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules())
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in found.modules())
    with torch.no_grad():
        torch.testing.assert_close(found(x), net.eval()(x), **TOLERANCE)
    torch.testing.assert_close(x, input_before)
    torch.testing.assert_close(dict(net.state_dict()), dict(before))


class _Standardized(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight, self.bias)


class _NormAndReLU(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).relu()


def _used_twice():
    conv, norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
    return nn.Sequential(conv, norm, conv, norm)


def _shared_convolution():
    conv = nn.Conv2d(4, 4, 1)
    return nn.Sequential(
        nn.Sequential(conv, nn.BatchNorm2d(4)), nn.Sequential(conv, nn.BatchNorm2d(4))
    )


def _hooked():
    net = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    net[1].register_forward_hook(lambda module, inputs, output: output * 2)
    return net


def _pruned():
    net = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    return net


def _another_forward():
    net = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    net[1].forward = MethodType(lambda norm, x: nn.BatchNorm2d.forward(norm, x) * 2, net[1])
    return net


LEFT_ALONE = {
    "used twice": _used_twice,
    "a convolution in two places": _shared_convolution,
    "another convolution": lambda: nn.Sequential(_Standardized(4, 4, 1), nn.BatchNorm2d(4)),
    "another norm": lambda: nn.Sequential(nn.Conv2d(4, 4, 1), _NormAndReLU(4)),
    "hooks": _hooked,
    "another forward": _another_forward,
    "pruned": _pruned,
    "parametrized": lambda: nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(4, 4, 1)), nn.BatchNorm2d(4)
    ),
    "no statistics": lambda: nn.Sequential(
        nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, track_running_stats=False)
    ),
}


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_folding_would_change_stays(name):
    """A user's operator may be any of these."""
    torch.manual_seed(0)
    net = LEFT_ALONE[name]().double()
    x = torch.randn(4, 4, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        for _ in range(3):
            net(x)
        torch.testing.assert_close(folded(net)(x), net.eval()(x), **TOLERANCE)


def test_when_a_run_folds():
    """In fp32 on a CPU, not compiled."""
    cpu = torch.device("cpu")
    assert Compute(cpu).folds_norms
    assert not Compute(cpu, torch.bfloat16).folds_norms
    assert not Compute(cpu, compile_mode="default").folds_norms
    assert not Compute(torch.device("meta")).folds_norms
