"""Steps that keep their input only, in the blocks that are made of them, against torch's layers."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import (
    ConvSequence,
    DilConv,
    NarrowDepthwise,
    ReLUConvBN,
    Sandglass,
    SepConv,
    Transition,
    inverted_residual,
    lean_step,
    pointwise_norm,
)
from tests.derivatives import (
    FORMATS,
    TOLERANCE,
    assert_same,
    assert_same_modules,
    derivatives,
)
from tests.plain import make_plain

CHANNELS = 20  # more than those of a pointwise convolution that is one product with its BatchNorm
NARROW = pointwise_norm.MAX_CHANNELS
WIDTHS = pytest.mark.parametrize("channels", [NARROW, CHANNELS])
BLOCKS = {
    "sandglass": lambda c: Sandglass(c, c),
    "sandglass stride 2": lambda c: Sandglass(c, 2 * c, 2, kernel_size=5),
    "sandglass without scales": lambda c: Sandglass(c, c, affine=False),
    "sandglass in part": lambda c: Sandglass(c, c, identity_ratio=0.5, squeeze_channels=3),
    "inverted residual": lambda c: inverted_residual(c, c, 1, affine=True),
    "inverted residual stride 2": lambda c: inverted_residual(c, 7, 2, affine=False),
    "inverted residual 5x5": lambda c: inverted_residual(
        c, c, 1, expansion_ratio=1, kernel_size=5, squeeze_channels=3, affine=True
    ),
    "transition": lambda c: Transition(c, c, 30, 2),
    "transition stride 1": lambda c: Transition(c, c, 30, 1, squeeze_channels=3),
    "narrow": lambda c: NarrowDepthwise(c, c - 2, c, 1, num_depthwise=2, shortcut_channels=c // 2),
    "narrow stride 2": lambda c: NarrowDepthwise(c, c - 2, 30, 2, num_depthwise=1),
    "separable": lambda c: SepConv(c, 3, 1, affine=True),
    "separable 5x5 stride 2": lambda c: SepConv(c, 5, 2, affine=False),
    "separable 7x7": lambda c: SepConv(c, 7, 1, affine=False),
    "dilated": lambda c: DilConv(c, 5, 1, affine=True),
    "dilated stride 2": lambda c: DilConv(c, 3, 2, affine=True),
    "pointwise": lambda c: ReLUConvBN(c, 24, 1, 1, affine=True),
}
WITHOUT_STEPS = {  # a stride that the dilation divides; nothing but products behind each norm
    CHANNELS: {"dilated stride 2", "inverted residual 5x5"},
    NARROW: {
        *("sandglass", "sandglass stride 2", "sandglass without scales", "sandglass in part"),
        *("transition", "transition stride 1", "narrow stride 2", "inverted residual 5x5"),
        *("dilated stride 2", "pointwise"),
    },
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def steps(monkeypatch):
    """The layers that each step stood for."""
    calls = []
    run = lean_step.LeanStep.run
    monkeypatch.setattr(
        lean_step.LeanStep, "run", lambda step, x: calls.append(step.num_layers) or run(step, x)
    )
    return calls


def build(name, memory_format=torch.channels_last, dtype=torch.float64, channels=CHANNELS):
    """A block with scales and shifts that reach both ends of ReLU6, and one of torch's layers."""
    block = BLOCKS[name](channels).to(dtype).to(memory_format=memory_format)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, std=3)
            nn.init.normal_(module.bias, std=3)
    return block, make_plain(copy.deepcopy(block))


def images(memory_format=torch.channels_last, dtype=torch.float64, channels=CHANNELS):
    x = torch.randn(3, channels, 6, 7, dtype=dtype)
    return x.to(memory_format=memory_format).requires_grad_()


class Twice(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return self.block(self.block(x))


@FORMATS
@WIDTHS
@pytest.mark.parametrize("name", BLOCKS)
def test_derivatives_and_statistics(name, channels, memory_format, steps):
    """All that the layers return, keep and differentiate, in two passes."""
    block, plain = build(name, memory_format, channels=channels)
    for _ in range(2):
        assert_same_modules(block, plain, images(memory_format, channels=channels))
    assert bool(steps) == (name not in WITHOUT_STEPS[channels])


@pytest.mark.parametrize("name", ["inverted residual", "separable", "pointwise"])
def test_the_output_has_the_same_bits(name):
    """In float32 too, where no pointwise convolution is one product with its BatchNorm."""
    wide, plain = build(name, dtype=torch.float32)
    x = images(dtype=torch.float32)
    found, expected = wide(x), plain(x)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "num_kept"),
    [("separable", 2), ("dilated", 1), ("pointwise", 1), ("inverted residual", 3)],
)
def test_what_is_kept(name, num_kept):
    """The outputs of convolutions in front of a BatchNorm, and the input, which others keep too."""
    block, _ = build(name)
    x = images()
    kept = {}

    def keep(tensor):
        if tensor.dim() == 4 and not isinstance(tensor, nn.Parameter):
            kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(x)
    kept.pop(x.data_ptr(), None)
    assert len(kept) == num_kept


@pytest.mark.parametrize("name", ["sandglass", "separable", "dilated", "inverted residual"])
@pytest.mark.parametrize("frozen", ["weights", "images", "all weights but the first"])
@WIDTHS
def test_only_the_gradients_that_are_asked_for(name, frozen, channels):
    """By the backward pass alone, and with a graph through it."""
    block, plain = build(name, channels=channels)
    x = images(channels=channels)
    results = []
    for module in (plain, block):
        parameters = list(module.parameters())
        inputs = {"weights": [x], "images": parameters}.get(frozen, [x, parameters[0]])
        for tensor in (x, *parameters):
            tensor.requires_grad_(any(tensor is one for one in inputs))
        results.append(derivatives(module(x), inputs))
    assert_same(results[1], results[0])


def test_other_weights_by_functional_call(steps):
    """As in the second order: the gradients are those of the weights that are handed in."""
    block, plain = build("separable")
    x = images()
    weights = {
        name: torch.randn_like(parameter).requires_grad_()
        for name, parameter in block.named_parameters()
    }
    results = []
    for module in (plain, block):
        y = torch.func.functional_call(module, weights, (x,))
        results.append(derivatives(y, (x, *weights.values())))
    assert_same(results[1], results[0])
    assert steps == [3, 4]


@pytest.mark.parametrize("case", ["eval", "no_grad", "one pixel", "momentum", "dtype"])
def test_elsewhere_the_layers_run_as_they_are(case, steps):
    """What comes out, or what is raised, is what torch's layers give."""
    block, plain = build("separable", dtype=torch.float32)
    x = images(dtype=torch.float64 if case == "dtype" else torch.float32)
    results = []
    for module in (plain, block):
        if case == "momentum":
            for layer in module.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.momentum = None
        module.train(case != "eval")
        with torch.set_grad_enabled(case != "no_grad"):
            if case in ("one pixel", "dtype"):
                with pytest.raises((ValueError, RuntimeError)) as raised:
                    module(x[:1, :, :1, :1])
                results.append((type(raised.value), str(raised.value)))
            else:
                results.append((module(x), *module.buffers()))
    if case in ("one pixel", "dtype"):
        assert results[0] == results[1]
    else:
        torch.testing.assert_close(*results)
    assert steps == ([3, 3] if case in ("eval", "momentum") else [])  # without a BatchNorm


def test_autocast_runs_the_layers(steps):
    """In its own types."""
    block, _ = build("separable", dtype=torch.float32)
    with torch.autocast("cpu"):
        assert block(images(dtype=torch.float32)).dtype == torch.bfloat16
    assert not steps


@pytest.mark.parametrize("name", ["separable", "sandglass"])
def test_a_backward_pass_in_autocast_changes_nothing(name):
    """The types are those of the forward pass, as of torch's layers."""
    block, _ = build(name, dtype=torch.float32)
    x = images(dtype=torch.float32)
    y = block(x)
    direction = torch.randn_like(y)
    expected = torch.autograd.grad(y, (x, *block.parameters()), direction, retain_graph=True)
    with torch.autocast("cpu"):
        found = torch.autograd.grad(y, (x, *block.parameters()), direction)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@FORMATS
@WIDTHS
@pytest.mark.parametrize("name", ["separable", "sandglass", "inverted residual", "narrow"])
def test_a_block_that_is_applied_twice(name, channels, memory_format):
    """The graph of the gradients ends at the input, which the same weights have made."""
    block, plain = build(name, memory_format, channels=channels)
    assert_same_modules(Twice(block), Twice(plain), images(memory_format, channels=channels))


@pytest.mark.parametrize("name", ["separable", "sandglass", "pointwise"])
def test_weights_that_changed_since_the_forward_pass(name):
    """Are no weights to differentiate with: torch says so."""
    block, _ = build(name)
    y = block(images())
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("name", ["separable", "sandglass", "inverted residual"])
def test_half_precision_with_norms_in_single(name):
    """As torch's layers, which compute the norms in single precision."""
    block, plain = build(name, dtype=torch.float32)
    x = images(dtype=torch.bfloat16)
    results = []
    for module in (plain, block):
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                layer.bfloat16()
        y = module(x)
        results.append((y, *torch.autograd.grad(y.float().sin().sum(), (x, *module.parameters()))))
    torch.testing.assert_close(results[1], results[0], rtol=0.1, atol=0.1)


def test_images_with_other_channels_are_refused_as_by_torch():
    """The kernels of a depthwise convolution are not spread over fewer channels."""
    block, plain = build("separable")
    x = images(channels=CHANNELS // 2)
    for module in (plain, block, block.eval()):
        with pytest.raises(RuntimeError, match=f"to have {CHANNELS} channels, but got 10"):
            module(x)


@pytest.mark.parametrize("name", ["separable", "sandglass", "dilated"])
def test_gradients_lie_in_memory_as_their_weights(name):
    block, _ = build(name, dtype=torch.float32)
    block(images(dtype=torch.float32)).sum().backward()
    for parameter in block.parameters():
        assert parameter.grad.stride() == parameter.stride()


def test_sequences_in_sequences_are_one(steps):
    """A step may begin in one of them and end in the next; names stay."""
    layers = list(BLOCKS["separable"](CHANNELS).double())
    nested = ConvSequence(ConvSequence(*layers[:4]), ConvSequence(*layers[4:]))
    x = images()
    torch.testing.assert_close(nested(x), nn.Sequential(*layers)(x), **TOLERANCE)
    assert steps == [3, 4]
    assert "1.1.weight" in nested.state_dict()
