"""Sequences of layers side by side, against each of them alone."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import DilConv, FactorizedReduce, SepConv, can_join, run_joined

COUNT = 3


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, memory_format=torch.contiguous_format):
    x = torch.randn(*shape, dtype=torch.float64)
    return x.to(memory_format=memory_format).requires_grad_()


BUILD = {
    "sep_3x3": lambda channels: SepConv(channels, 3, 1, affine=False),
    "sep_5x5_stride_2": lambda channels: SepConv(channels, 5, 2, affine=False),
    "dil_3x3": lambda channels: DilConv(channels, 3, 1, affine=False),
    "dil_3x3_stride_2": lambda channels: DilConv(channels, 3, 2, affine=False),
    "dilation_3_stride_2": lambda channels: DilConv(channels, 3, 2, dilation=3, affine=False),
}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [2, 11])
@pytest.mark.parametrize("name", BUILD)
def test_outputs_gradients_and_statistics(name, channels, memory_format):
    """Those of the sequences one by one, over two calls; one product up to 32 channels."""
    alone = nn.ModuleList(BUILD[name](channels) for _ in range(COUNT)).double()
    joined = copy.deepcopy(alone)
    assert all(can_join(list(sequence)) for sequence in joined)
    for _ in range(2):
        x = randn(2, COUNT * channels, 6, 5, memory_format=memory_format)
        scale = randn(COUNT)
        parts = zip(alone, x.chunk(COUNT, dim=1), scale, strict=True)
        expected = torch.cat([weight * sequence(part) for sequence, part, weight in parts], dim=1)
        of_channels = scale[:, None].expand(COUNT, channels).flatten()
        before = x.detach().clone()
        found = run_joined([list(sequence) for sequence in joined], x, of_channels)
        assert torch.equal(x, before)
        direction = randn(*expected.shape)
        results = [
            (
                output,
                torch.autograd.grad(output, (x, scale, *layers.parameters()), direction),
                dict(layers.named_buffers()),
            )
            for output, layers in ((found, joined), (expected, alone))
        ]
        torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", BUILD)
def test_one_input_for_all(name):
    """As if its channels were repeated; the gradients add up."""
    sequences = [list(BUILD[name](2).double())[1:] for _ in range(COUNT)]
    weights = [weight for layers in sequences for one in layers for weight in one.parameters()]
    x, scale = randn(2, 2, 6, 5, memory_format=torch.channels_last), randn(COUNT * 2)
    outputs = [run_joined(sequences, one, scale) for one in (x, torch.cat([x] * COUNT, dim=1))]
    direction = randn(*outputs[0].shape)
    gradients = [torch.autograd.grad(out, (x, scale, *weights), direction) for out in outputs]
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-10)


def test_second_derivatives():
    """Of the weights too; the exact second order differentiates the backward pass."""
    sequences = [DilConv(2, 3, 1, affine=False).double() for _ in range(2)]
    weights = [weight for sequence in sequences for weight in sequence.parameters()]
    x, scale = randn(2, 4, 3, 3, memory_format=torch.channels_last), randn(2)

    def curvature(output):
        first = torch.autograd.grad(output.pow(3).sum(), weights, create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), (x, scale, *weights))

    parts = zip(sequences, x.chunk(2, dim=1), scale, strict=True)
    expected = torch.cat([weight * sequence(part) for sequence, part, weight in parts], dim=1)
    found = run_joined([list(one) for one in sequences], x, scale[:, None].expand(2, 2).flatten())
    torch.testing.assert_close(curvature(found), curvature(expected), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "layers",
    [
        FactorizedReduce(4, 4, affine=False),
        DilConv(4, 3, 1, affine=True),
        DilConv(4, 3, 1, affine=False).eval(),
        nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1, bias=False)),
        nn.Sequential(nn.BatchNorm2d(4, affine=False)),
    ],
    ids=["another layer", "affine", "evaluation", "no norm", "norm alone"],
)
def test_what_cannot_be_joined(layers):
    assert not can_join(list(layers))
