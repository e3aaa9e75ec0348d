"""FactorizedReduce, at even and odd sizes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from nas.layers import FactorizedReduce
from nas.layers.conv import InterleavedConv
from tests.derivatives import FORMATS, assert_same, assert_same_modules, derivatives, leaf
from tests.plain import make_plain


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def reduce_by_hand(x, even, odd):
    """The even pixels by one matrix, the odd ones by the other, with zeros where there are none."""
    height, width = x.shape[-2:]
    padded = F.pad(F.relu(x), (0, width % 2, 0, height % 2))
    first = torch.einsum("nchw,oc->nohw", padded[:, :, 0::2, 0::2], even[:, :, 0, 0])
    second = torch.einsum("nchw,oc->nohw", padded[:, :, 1::2, 1::2], odd[:, :, 0, 0])
    return F.batch_norm(torch.cat([first, second], 1), None, None, training=True)


@FORMATS
class TestFactorizedReduce:
    @pytest.mark.parametrize("size", [(8, 8), (7, 8), (8, 7), (7, 7), (1, 1)])
    def test_reads_even_and_odd_pixels(self, size, memory_format):
        """One half reads the even pixels, the other the odd ones, and so do all derivatives."""
        block = FactorizedReduce(4, 7, affine=False).double().to(memory_format=memory_format)
        x = leaf(2, 4, *size, memory_format=memory_format)
        even, odd = block.parameters()
        expected = derivatives(reduce_by_hand(x, even, odd), (x, even, odd))
        assert_same(derivatives(block(x), (x, even, odd)), expected)

    @pytest.mark.parametrize("training", [True, False])
    def test_is_two_strided_convolutions(self, training, memory_format):
        """In training and in evaluation."""
        block = FactorizedReduce(4, 6, affine=True).double().train(training)
        block.to(memory_format=memory_format)
        x = leaf(2, 4, 6, 4, memory_format=memory_format)
        assert_same_modules(block, make_plain(copy.deepcopy(block)), x)


CHANGES = {
    "a hook": lambda conv: conv.register_forward_hook(lambda module, inputs, output: output * 2),
    "pruned": lambda conv: prune.l1_unstructured(conv, "weight", amount=0.5),
    "parametrized": lambda conv: parametrizations.weight_norm(conv),
    "another forward": lambda conv: setattr(conv, "forward", lambda x: nn.Conv2d.forward(conv, -x)),
}


@pytest.mark.parametrize("name", ["conv_even", "conv_odd"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_convolution_that_was_changed_is_called(change, name):
    """It may compute its weight before each call, or return something else."""
    conv = InterleavedConv(4, 6).double()
    CHANGES[change](getattr(conv, name))
    x = leaf(2, 4, 6, 6, memory_format=torch.channels_last)
    for _ in range(2):
        inputs = (x, *conv.parameters())
        found = derivatives(conv(x), inputs)  # first: a call of a half computes its weight again
        expected = torch.cat([conv.conv_even(x), conv.conv_odd(x[:, :, 1:, 1:])], dim=1)
        assert_same(found, derivatives(expected, inputs))
        with torch.no_grad():
            for parameter in conv.parameters():
                parameter.mul_(2)
