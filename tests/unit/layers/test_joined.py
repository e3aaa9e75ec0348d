"""Sequences of layers side by side, against each of them alone."""

import copy

import pytest
import torch
from torch import nn

from nas.layers import DilConv, FactorizedReduce, SepConv, can_join, run_joined
from tests.derivatives import FORMATS, TOLERANCE, assert_same, derivatives, leaf
from tests.plain import make_plain

COUNT = 3


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


BUILD = {
    "sep_3x3": lambda channels: SepConv(channels, 3, 1, affine=False),
    "sep_5x5_stride_2": lambda channels: SepConv(channels, 5, 2, affine=False),
    "sep_7x7": lambda channels: SepConv(channels, 7, 1, affine=False),
    "dil_3x3": lambda channels: DilConv(channels, 3, 1, affine=False),
    "dil_5x5": lambda channels: DilConv(channels, 5, 1, affine=False),
    "dil_3x3_stride_2": lambda channels: DilConv(channels, 3, 2, affine=False),
    "dilation_3_stride_2": lambda channels: DilConv(channels, 3, 2, dilation=3, affine=False),
}


def weigh(scale, channels):
    """The scale of each channel, from that of each sequence."""
    return scale[:, None].expand(len(scale), channels).flatten()


@FORMATS
@pytest.mark.parametrize("channels", [2, 11])
@pytest.mark.parametrize("name", BUILD)
def test_derivatives_and_statistics(name, channels, memory_format):
    """Those of torch's layers one by one, over two calls; one product up to 32 channels."""
    joined = nn.ModuleList(BUILD[name](channels) for _ in range(COUNT)).double()
    joined.to(memory_format=memory_format)
    assert all(can_join(list(sequence)) for sequence in joined)
    alone = make_plain(copy.deepcopy(joined))
    for _ in range(2):
        x, scale = leaf(2, COUNT * channels, 6, 5, memory_format=memory_format), leaf(COUNT)
        before = x.detach().clone()
        parts = zip(alone, x.chunk(COUNT, dim=1), scale, strict=True)
        expected = torch.cat([weight * sequence(part) for sequence, part, weight in parts], dim=1)
        found = run_joined([list(one) for one in joined], x, weigh(scale, channels))
        results = [
            derivatives(output, (x, scale, *layers.parameters()))
            for output, layers in ((found, joined), (expected, alone))
        ]
        assert_same(*results)
        assert torch.equal(x, before)
        torch.testing.assert_close(list(joined.buffers()), list(alone.buffers()), **TOLERANCE)


@FORMATS
@pytest.mark.parametrize("name", BUILD)
def test_one_input_for_all(name, memory_format):
    """As if its channels were repeated; the gradients add up."""
    built = (list(BUILD[name](2))[1:] for _ in range(COUNT))  # without the ReLU
    sequences = nn.ModuleList(nn.Sequential(*layers) for layers in built).double()
    sequences.to(memory_format=memory_format)
    alone = make_plain(copy.deepcopy(sequences))
    x, scale = leaf(2, 2, 6, 5, memory_format=memory_format), leaf(COUNT)
    found = run_joined([list(one) for one in sequences], x, weigh(scale, 2))
    parts = zip(alone, scale, strict=True)
    expected = torch.cat([weight * sequence(x) for sequence, weight in parts], dim=1)
    assert_same(
        derivatives(found, (x, scale, *sequences.parameters())),
        derivatives(expected, (x, scale, *alone.parameters())),
    )


def test_calls_side_by_side_and_alone():
    """Before one backward pass: neither changes what the other keeps."""
    sequences = nn.ModuleList(DilConv(2, 3, 1, affine=False) for _ in range(2)).double()
    plain = make_plain(copy.deepcopy(sequences))
    x, scale = leaf(2, 4, 5, 6), leaf(4)

    def one_by_one(layers):
        return torch.cat([one(part) for one, part in zip(layers, x.chunk(2, 1), strict=True)], 1)

    first = one_by_one(sequences)
    found = first + run_joined([list(one) for one in sequences], x, scale)
    expected = one_by_one(plain) + scale[:, None, None] * one_by_one(plain)
    assert_same(
        derivatives(found, (x, scale, *sequences.parameters())),
        derivatives(expected, (x, scale, *plain.parameters())),
    )


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
