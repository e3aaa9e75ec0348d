"""Folded BatchNorms in a copy to measure with; tests/unit/deploy has them in whole networks."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import FactorizedReduce, Sandglass, SepConv, folded, inverted_residual
from nas.runtime.compute import Compute

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
        torch.testing.assert_close(found(x), net.eval()(x), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(x, input_before)
    torch.testing.assert_close(dict(net.state_dict()), dict(before))


def test_when_a_run_folds():
    """In fp32 on a CPU, not compiled."""
    cpu = torch.device("cpu")
    assert Compute(cpu).folds_norms
    assert not Compute(cpu, torch.bfloat16).folds_norms
    assert not Compute(cpu, compile_mode="default").folds_norms
    assert not Compute(torch.device("meta")).folds_norms
