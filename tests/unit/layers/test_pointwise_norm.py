"""A pointwise convolution and its BatchNorm as one, against torch's two."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import ConvSequence, pointwise_norm, run_layers
from tests.derivatives import FORMATS, TOLERANCE, assert_same, assert_same_modules, derivatives


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def images(*shape, dtype=torch.float64, memory_format=torch.channels_last):
    """Far from a mean of zero."""
    x = torch.randn(*shape, dtype=dtype) * 2 + 3
    return x.to(memory_format=memory_format).requires_grad_()


def layers(in_channels, out_channels, *, affine, dtype=torch.float64):
    norm = nn.BatchNorm2d(out_channels, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
    return nn.Sequential(conv, norm).to(dtype)


@pytest.fixture
def fused(monkeypatch):
    """The shapes that the fast form was called with."""
    calls = []
    apply = pointwise_norm._PointwiseNorm.apply
    monkeypatch.setattr(
        pointwise_norm._PointwiseNorm, "apply", lambda *a: calls.append(a[0].shape) or apply(*a)
    )
    return calls


@FORMATS
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize(
    ("in_channels", "out_channels"), [(4, 4), (3, 7), (1, 2), (9, 2), (16, 16), (17, 2)]
)
def test_derivatives_and_statistics(affine, in_channels, out_channels, memory_format, fused):
    """All that convolution and BatchNorm return, keep and differentiate; over two calls."""
    expected = layers(in_channels, out_channels, affine=affine).to(memory_format=memory_format)
    found = ConvSequence(*copy.deepcopy(expected))
    for _ in range(2):
        x = images(3, in_channels, 5, 6, memory_format=memory_format)
        assert_same_modules(found, expected, x)
    is_fast = in_channels <= 16 and (memory_format == torch.channels_last or in_channels == 1)
    assert len(fused) == 2 * is_fast
    torch.testing.assert_close(found.eval()(x), expected.eval()(x), **TOLERANCE)


@FORMATS
@pytest.mark.parametrize("is_product", [True, False])
def test_a_scale_given_is_that_of_the_last_norm(is_product, memory_format, fused):
    """As the architecture weight; its derivatives too. It stands for `scale * norm(conv(x))`."""
    module = layers(3, 3, affine=False)
    if not is_product:
        module[0] = nn.Conv2d(3, 3, 3, padding=1, bias=False).double()
    module.to(memory_format=memory_format)
    x = images(2, 3, 4, 5, memory_format=memory_format)
    scale = torch.randn(3, dtype=torch.float64, requires_grad=True)
    plain = copy.deepcopy(module)
    expected = derivatives(scale[:, None, None] * plain(x), (x, scale, *plain.parameters()))
    found = run_layers(list(module), x, scale)
    assert_same(derivatives(found, (x, scale, *module.parameters())), expected)
    torch.testing.assert_close(list(module.buffers()), list(plain.buffers()), **TOLERANCE)
    assert len(fused) == (is_product and memory_format == torch.channels_last)


def test_two_calls_in_different_forms(fused):
    """Before one backward pass: neither changes what the other keeps."""
    expected = layers(3, 4, affine=True)
    found = ConvSequence(*copy.deepcopy(expected))
    x, results = images(2, 3, 4, 5), []
    for module in (found, expected):
        y = module(x.contiguous()) + module(x)
        results.append(derivatives(y, (x, *module.parameters())))
    assert_same(*results)
    assert len(fused) == 1


def test_first_and_second_derivatives():
    """By finite differences; the second order search differentiates the backward pass."""

    def call(x, weight, scale, shift):
        x = x.contiguous(memory_format=torch.channels_last)
        pixels = pointwise_norm._pixels(x.detach())
        moments, _ = pointwise_norm._moments(pixels, weight.detach().flatten(1))
        return pointwise_norm._PointwiseNorm.apply(x, weight, scale, shift, *moments, 1e-5)

    inputs = (
        images(2, 2, 2, 3),
        *(
            torch.randn(*shape, dtype=torch.float64, requires_grad=True)
            for shape in ((3, 2, 1, 1), (3,), (3,))
        ),
    )
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


def test_only_the_gradients_that_are_asked_for():
    """Frozen weights, as in the step of the alphas; constant images, as in the first layer."""
    module = layers(3, 4, affine=False)
    x = images(2, 3, 4, 4)
    z = run_layers(list(module), x)
    (whole, _) = torch.autograd.grad(z.square().sum(), (x, module[0].weight), retain_graph=True)
    module.requires_grad_(False)
    (alone,) = torch.autograd.grad(run_layers(list(module), x).pow(2).sum(), x)
    torch.testing.assert_close(alone, whole, **TOLERANCE)
    module.requires_grad_(True).to(memory_format=torch.channels_last)
    run_layers(list(module), x.detach()).sum().backward()
    # DistributedDataParallel wants a gradient in the layout of its parameter.
    assert module[0].weight.grad.stride() == module[0].weight.stride()


@pytest.mark.parametrize("mean_to_std", [0, 4.9, 10, 1000])
def test_fp32_is_as_exact_as_convolution_and_batch_norm(mean_to_std):
    """Errors against float64 of the form with moments of x, beside those of torch's two layers."""
    errors = {}
    expected = layers(16, 16, affine=False)
    x = (torch.randn(64, 16, 16, 16, dtype=torch.float64) + mean_to_std).requires_grad_()
    direction = torch.randn_like(x)
    inputs = (x, expected[0].weight)
    exact = (expected(x), *torch.autograd.grad(expected(x), inputs, direction))
    for name, kind in (("fused", ConvSequence), ("two", nn.Sequential)):
        module = kind(*copy.deepcopy(expected).float())
        y = x.detach().float().contiguous(memory_format=torch.channels_last).requires_grad_()
        z = module(y)
        found = (z, *torch.autograd.grad(z, (y, module[0].weight), direction.float()))
        errors[name] = [
            ((a.double() - b).norm() / b.norm()).item() for a, b in zip(found, exact, strict=True)
        ]
    for fused, two in zip(errors["fused"], errors["two"], strict=True):
        assert fused < 3 * two + 3e-6, errors


@pytest.mark.parametrize("difference", [0.05, 0.3])
def test_fp32_with_channels_that_hardly_differ(difference):
    """The variance of a difference of nearly equal channels keeps its digits."""
    errors = {}
    expected = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.BatchNorm2d(1, affine=False))
    expected = expected.double()
    with torch.no_grad():
        expected[0].weight.copy_(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1))
    common, own = torch.randn(2, 32, 1, 16, 16, dtype=torch.float64)
    x = torch.cat([common, common + difference * own], dim=1).float()
    exact = expected(x.double())
    for name, kind in (("fused", ConvSequence), ("two", nn.Sequential)):
        module = kind(*copy.deepcopy(expected).float())
        z = module(x.contiguous(memory_format=torch.channels_last))
        errors[name] = ((z.double() - exact).norm() / exact.norm()).item()
    assert errors["fused"] < 2 * errors["two"] + 1e-5, errors


@FORMATS
def test_a_relu_behind_a_norm_is_in_place(memory_format, monkeypatch):
    """It takes no memory of its own; results and gradients stay."""
    module = nn.Sequential(*layers(3, 4, affine=True), nn.ReLU(), *layers(4, 4, affine=True))
    found = ConvSequence(*copy.deepcopy(module))
    x = images(2, 3, 4, 4, memory_format=memory_format)
    assert_same_modules(found, module, x)
    outputs, forward = [], nn.BatchNorm2d.forward
    monkeypatch.setattr(
        nn.BatchNorm2d, "forward", lambda norm, x: outputs.append(forward(norm, x)) or outputs[-1]
    )
    z = run_layers([module[1], nn.ReLU()], torch.randn(2, 4, 3, 3, dtype=torch.float64))
    assert z.data_ptr() == outputs[0].data_ptr() and z.min() >= 0


@pytest.mark.parametrize(
    "case", ["eval", "no_grad", "contiguous", "wide input", "one pixel", "autocast", "momentum"]
)
def test_elsewhere_the_layers_run_as_they_are(case, fused):
    """Where the fast form does not apply, what comes out is what torch's layers give."""
    wide = case == "wide input"
    module = layers(40 if wide else 3, 4, affine=True, dtype=torch.float32)
    if case == "momentum":
        module[1].momentum = None
    other = ConvSequence(*copy.deepcopy(module))
    x = images(2, 40 if wide else 3, 4, 4, dtype=torch.float32)
    if case == "contiguous":
        x = x.detach().contiguous()
    if case == "eval":
        module.eval(), other.eval()
    results = []
    for net in (module, other):
        with (
            torch.set_grad_enabled(case != "no_grad"),
            torch.autocast("cpu", enabled=case == "autocast"),
        ):
            if case == "one pixel":
                with pytest.raises(ValueError, match="more than 1 value per channel"):
                    net(x[:1, :, :1, :1])
            else:
                results.append((net(x), dict(net.named_buffers())))
    if results:
        torch.testing.assert_close(*results)
    assert not fused
