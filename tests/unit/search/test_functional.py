"""A network called with other weights, against torch.func.functional_call."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from nas.search.functional import Substitute


class Tied(nn.Module):
    """One convolution in two places, one BatchNorm called twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Sequential(self.first, self.norm)

    def forward(self, x):
        return self.second(self.norm(self.first(x)))


def test_as_functional_call():
    """Output and gradients; the network's own tensors, and their gradients, stay as they are."""
    torch.manual_seed(0)
    net, x = Tied().double(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    weights = {
        name: torch.randn_like(parameter, requires_grad=True)
        for name, parameter in net.named_parameters()
    }
    before = {
        name: (tensor, tensor.clone()) for name, tensor in net.state_dict(keep_vars=True).items()
    }
    scratch = {name: buffer.clone() for name, buffer in net.named_buffers()}
    # functional_call leaves stand-ins behind in modules that hang in two places.
    reference = copy.deepcopy(net)
    outputs = [
        Substitute(net)(weights, x),
        functional_call(reference, {**weights, **scratch}, (x,)),
    ]
    torch.testing.assert_close(*outputs, rtol=0, atol=0)
    found = [torch.autograd.grad(y.square().sum(), [*weights.values()]) for y in outputs]
    torch.testing.assert_close(*found, rtol=0, atol=0)
    for name, tensor in net.state_dict(keep_vars=True).items():
        assert tensor is before[name][0] and torch.equal(tensor, before[name][1])
        assert tensor.grad is None


def test_a_call_that_fails_leaves_nothing_behind():
    """Own tensors are back after an error too, and a name that is missing is one."""
    net = Tied()
    own = dict(net.state_dict(keep_vars=True))
    weights = {name: parameter.detach() for name, parameter in net.named_parameters()}
    substitute = Substitute(net)
    with pytest.raises(RuntimeError):
        substitute(weights, torch.randn(2, 5, 4, 4))
    del weights["norm.bias"]
    with pytest.raises(KeyError):
        substitute(weights, torch.randn(2, 3, 4, 4))
    for name, tensor in net.state_dict(keep_vars=True).items():
        assert tensor is own[name]
