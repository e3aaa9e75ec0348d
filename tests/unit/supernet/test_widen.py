"""A wider network copies the channels of the old one."""

import pytest
import torch
from torch import nn

from nas.layers import FactorizedReduce
from nas.operators import register_operator, resolve
from nas.search.methods.pc_darts import PCDarts
from nas.space import load_space
from nas.supernet import Alphas, Supernet
from nas.supernet.widen import random_copies, widen


def network(space, fraction, seed):
    torch.manual_seed(seed)
    build_edge = PCDarts(fraction).build_edge
    return Supernet(space, init_channels=8, num_cells=3, build_edge=build_edge)


def space_of(text):
    space = load_space(text)
    resolve(space)
    return space


@pytest.fixture(scope="module")
def widened():
    """A network after a step, its wider form, and its momentum before and after, by name."""
    space = space_of("skip_connect+sep_conv_3x3+max_pool_3x3")
    net = network(space, 4, seed=0)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x = torch.randn(4, 3, 8, 8)
    net(x, Alphas(space).weights()).square().mean().backward()
    sgd.step()
    parameters = dict(net.named_parameters())
    before = {name: p.detach().clone() for name, p in parameters.items()}
    momentum = {name: sgd.state[p]["momentum_buffer"].clone() for name, p in parameters.items()}
    choose = random_copies(torch.Generator().manual_seed(1))
    widen(net, network(space, 2, seed=5), sgd, choose)
    return space, net, sgd, parameters, before, momentum


def test_parameters_are_the_same_objects(widened):
    """The optimizer and its momentum follow; what has the old size keeps its values."""
    space, net, sgd, parameters, before, momentum = widened
    assert dict(net.named_parameters()) == parameters
    shapes = {name: p.shape for name, p in network(space, 2, seed=0).named_parameters()}
    grown = 0
    for name, parameter in parameters.items():
        assert parameter.shape == shapes[name]
        assert sgd.state[parameter]["momentum_buffer"].shape == shapes[name]
        corner = tuple(slice(size) for size in before[name].shape)
        assert torch.equal(parameter[corner], before[name])
        assert torch.equal(sgd.state[parameter]["momentum_buffer"][corner], momentum[name])
        grown += parameter.shape != before[name].shape
    assert grown > 20


def test_new_channels_are_copies(widened):
    """Each new row is an old one, and momentum copies the same row as its weight."""
    _, _, sgd, parameters, before, momentum = widened
    name = next(n for n in parameters if "operators.1.1.weight" in n)
    weight, old = parameters[name], before[name]
    buffer = sgd.state[weight]["momentum_buffer"]
    assert len(weight) == 2 * len(old)
    for row in range(len(old), len(weight)):
        source = [i for i in range(len(old)) if torch.equal(weight[row], old[i])]
        assert len(source) == 1
        assert torch.equal(buffer[row], momentum[name][source[0]])


def test_it_trains_on(widened):
    """Forward, backward and a step work at the new size, as for a network built with it."""
    space, net, sgd, *_ = widened
    sgd.zero_grad()
    net(torch.randn(4, 3, 8, 8), Alphas(space).weights()).square().mean().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    sgd.step()
    for module, other in zip(net.modules(), network(space, 2, 0).modules(), strict=True):
        assert type(module) is type(other)
        if isinstance(module, nn.Conv2d):
            assert module.groups == other.groups
    buffers = [(b.shape, name) for name, b in net.named_buffers()]
    assert buffers == [(b.shape, name) for name, b in network(space, 2, 0).named_buffers()]


@pytest.mark.parametrize(("old", "new"), [(4, 8), (3, 6), (2, 3)])
def test_statistics_stay_with_their_channels(old, new):
    """After two halves each channel answers the old inputs as the one it copies, in eval mode."""
    torch.manual_seed(0)
    net = nn.Sequential(FactorizedReduce(old, old, affine=False))
    norm = net[0][-1]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, old, 8, 8)
    with torch.no_grad():
        before = net.eval()(x)
    wider = nn.Sequential(FactorizedReduce(new, new, affine=False))
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    widen(net, wider, sgd, random_copies(torch.Generator().manual_seed(1)))
    with torch.no_grad():
        after = net.eval()(torch.cat([x, torch.zeros(2, new - old, 8, 8)], dim=1))
    source = (after[:, :, None] - before[:, None]).abs().amax(dim=(0, 3, 4)).argmin(dim=1)
    torch.testing.assert_close(after, before[:, source])


def test_an_operator_of_a_plugin():
    """Whatever an operator is made of is built for the new size."""

    class Scaled(nn.Module):
        def __init__(self, channels, stride):
            super().__init__()
            self.sizes = [channels, 1, 1]
            self.scale = nn.Parameter(torch.randn(channels))
            self.pool = nn.AvgPool2d(3, stride, padding=1)

        def forward(self, x):
            return self.pool(x) * self.scale.view(self.sizes)

    @register_operator("my_scale")
    def build(channels, stride, *, affine):
        return Scaled(channels, stride)

    space = space_of("my_scale+skip_connect")
    net = network(space, 4, seed=0)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    widen(net, network(space, 2, seed=1), sgd, lambda old, new: torch.arange(new) % old)
    net(torch.randn(2, 3, 8, 8), Alphas(space).weights()).sum().backward()
    scales = [m.scale for m in net.modules() if isinstance(m, Scaled)]
    assert scales and all(torch.equal(*scale.detach().chunk(2)) for scale in scales)
