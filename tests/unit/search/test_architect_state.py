"""The architect leaves everything but alpha.grad as it found it, bit for bit."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.search import Architect
from nas.search.architect import ORDERS
from nas.space import load_space
from nas.supernet import Alphas, Supernet


@pytest.fixture
def setup():
    """A small supernet after one SGD step, so that momentum buffers and statistics are not new."""
    torch.manual_seed(0)
    space = load_space("darts+sandglass")
    net = Supernet(space, init_channels=2, num_cells=3).train()
    alphas = Alphas(space)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
    images, targets = torch.randn(4, 3, 8, 8), torch.arange(4)
    cross_entropy(net(images, alphas.weights()), targets).backward()
    optimizer.step()
    optimizer.zero_grad()
    alphas.zero_grad()
    return net, alphas, optimizer, (images, targets)


@pytest.mark.parametrize("order", ORDERS)
def test_nothing_but_alpha_grad_changes(setup, order):
    """Weights, BatchNorm buffers, momentum, flags and alphas are the same to the last bit."""
    net, alphas, optimizer, batch = setup
    before = copy.deepcopy((net.state_dict(), alphas.state_dict(), optimizer.state_dict()))
    flags = [(module.training, module) for module in net.modules()]

    Architect(net, alphas, cross_entropy, optimizer, order=order).step(batch, batch)

    after = (net.state_dict(), alphas.state_dict(), optimizer.state_dict())
    assert_equal(before, after)
    assert all(module.training is training for training, module in flags)
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(parameter.grad is None for parameter in net.parameters())
    for alpha in (alphas.normal, alphas.reduce):
        assert alpha.grad.shape == alpha.shape and alpha.grad.abs().max() > 0
        assert not alpha.grad.requires_grad


def test_the_state_above_would_show_a_change(setup):
    """A plain training pass does change the buffers, so the comparison can fail."""
    net, alphas, _, (images, _) = setup
    before = copy.deepcopy(net.state_dict())
    net(images, alphas.weights())
    with pytest.raises(AssertionError):
        assert_equal(before, net.state_dict())


def test_weights_and_alphas_are_apart(setup):
    """No parameter is owned twice, and the weight optimiser holds no alpha."""
    net, alphas, optimizer, _ = setup
    weights = {id(parameter) for parameter in net.parameters()}
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == weights
    assert weights.isdisjoint(id(alpha) for alpha in alphas.parameters())
    assert not any("alpha" in name for name in net.state_dict())


def assert_equal(a, b):
    """Compare nested containers of tensors and plain values exactly."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for first, second in zip(a, b, strict=True):
            assert_equal(first, second)
    else:
        assert a == b
