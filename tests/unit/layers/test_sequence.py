"""Layers that are taken together, where something else looks at them: hooks and compilers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from nas.layers import ConvSequence, FactorizedReduce, Sandglass, SepConv, inverted_residual
from nas.models import mobilenet_v2
from tests.derivatives import TOLERANCE, assert_same_modules
from tests.plain import make_plain


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def images(channels, size=6):
    x = torch.randn(3, channels, size, size, dtype=torch.float64)
    return x.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("training", [True, False])
def test_every_hook_is_called(training):
    """Of every layer, also of those that run as one step, and of sequences in sequences."""
    net = mobilenet_v2(0.25, num_classes=2).double().train(training)
    called = []
    for name, module in net.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    net(images(3, 32))
    assert sorted(called) == sorted(name for name, _ in net.named_modules())


def test_what_a_hook_returns_counts():
    """In both passes, and what it sees is not changed by a later layer."""
    seen = []
    for index in range(4):
        block = SepConv(20, 3, 1, affine=True).double()
        block[index].register_forward_hook(lambda module, inputs, output: output * 0)
        block[3].register_forward_hook(lambda module, inputs, output: seen.append(output))
        plain = make_plain(copy.deepcopy(block))
        x = images(20)
        torch.testing.assert_close(block(x), plain(x), **TOLERANCE)
        torch.testing.assert_close(seen[-2:][0], seen[-2:][1])
        with torch.no_grad():
            torch.testing.assert_close(block.eval()(x), plain.eval()(x), **TOLERANCE)
    gradients = []
    block = SepConv(20, 3, 1, affine=True).double()
    block[2].register_full_backward_hook(lambda *_: gradients.append(_))
    block(images(20).requires_grad_()).sum().backward()
    assert len(gradients) == 1


GLOBAL = torch.nn.modules.module
REGISTER = {
    "forward": lambda note: GLOBAL.register_module_forward_hook(lambda layer, x, y: note(layer)),
    "forward pre": lambda note: GLOBAL.register_module_forward_pre_hook(
        lambda layer, x: note(layer)
    ),
    "backward": lambda note: GLOBAL.register_module_full_backward_hook(
        lambda layer, x, y: note(layer)
    ),
    "backward pre": lambda note: GLOBAL.register_module_full_backward_pre_hook(
        lambda layer, x: note(layer)
    ),
}


@pytest.mark.parametrize("name", REGISTER)
@pytest.mark.parametrize("channels", [8, 20])
def test_hooks_of_all_modules_are_called(name, channels):
    """Those that torch calls for every layer, in either direction."""
    net = nn.Sequential(
        SepConv(channels, 3, 1, affine=True), FactorizedReduce(channels, channels, affine=True)
    ).double()
    called = []
    handle = REGISTER[name](called.append)
    try:
        net(images(channels).requires_grad_()).sum().backward()
    finally:
        handle.remove()
    assert sorted(map(id, called)) == sorted(map(id, net.modules()))


@pytest.mark.parametrize("channels", [8, 20])
@pytest.mark.parametrize("index", range(8))
def test_a_layer_that_is_compiled_runs_compiled(index, channels, monkeypatch):
    """By its own `compile`; the others run as before."""
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call: lambda x: compiled.append(call) or call(x))
    block = SepConv(channels, 3, 1, affine=True).double()
    plain = make_plain(copy.deepcopy(block))
    block[index].compile()
    x = images(channels)
    torch.testing.assert_close(block(x), plain(x), **TOLERANCE)
    assert len(compiled) == 1


@pytest.mark.parametrize("channels", [8, 20])
@pytest.mark.parametrize("index", range(8))
def test_a_forward_of_a_layer_alone_is_called(index, channels):
    """One that was set on it, as tools do that measure or quantize."""
    block = SepConv(channels, 3, 1, affine=True).double()
    plain = make_plain(copy.deepcopy(block))
    for net in (block, plain):
        net[index].forward = lambda x, forward=net[index].forward: forward(x) + 1
    assert_same_modules(block, plain, images(channels).requires_grad_())


def test_a_pruned_convolution_trains():
    """Pruning computes the weight before each call, by a hook."""
    block = SepConv(20, 3, 1, affine=True).double()
    prune.l1_unstructured(block[2], "weight", amount=0.5)
    for _ in range(2):
        block(images(20)).square().sum().backward()
    assert (block[2].weight_orig.grad[block[2].weight_mask == 0] == 0).all()


BLOCKS = {
    "sandglass": lambda: Sandglass(20, 20),
    "inverted residual": lambda: inverted_residual(20, 20, 1, affine=True),
    "narrow inverted residual": lambda: inverted_residual(8, 8, 1, affine=True),
    "separable": lambda: SepConv(8, 5, 1, affine=False),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_compiled_blocks_have_the_gradients_of_eager_ones(name):
    """Channels last, where the forms for a CPU would be used."""
    block = BLOCKS[name]().double().to(memory_format=torch.channels_last)
    channels = next(m.in_channels for m in block.modules() if isinstance(m, nn.Conv2d))
    x = images(channels)
    results = []
    for function in (block, torch.compile(block, backend="aot_eager", fullgraph=True)):
        leaf = x.clone().requires_grad_()
        output = function(leaf)
        inputs = (leaf, *block.parameters())
        results.append((output, *torch.autograd.grad(output.sin().sum(), inputs)))
    torch.testing.assert_close(results[1], results[0], **TOLERANCE)


@pytest.mark.parametrize("channels", [8, 20])
def test_images_with_other_channels_are_refused_as_by_torch(channels):
    """With torch's message, where a convolution and its BatchNorm would be one product too."""
    layers = nn.Conv2d(channels, 6, 1, bias=False), nn.BatchNorm2d(6)
    for kind in (nn.Sequential, ConvSequence):
        with pytest.raises(RuntimeError, match=f"to have {channels} channels, but got 4"):
            kind(*layers).double()(images(4))


def test_images_without_a_batch():
    """Are left to torch, which takes them for convolutions and refuses them for BatchNorms."""
    x = images(20)[0]
    conv = SepConv(20, 3, 1, affine=True).double()[1]
    torch.testing.assert_close(conv(x), make_plain(copy.deepcopy(conv))(x))
    with pytest.raises(ValueError, match="expected 4D input"):
        ConvSequence(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8)).double()(x[:8])
