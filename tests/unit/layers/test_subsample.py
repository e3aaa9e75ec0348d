"""Subsampling and its gradient."""

import pytest
import torch

from nas.layers.subsample import subsample
from tests.derivatives import FORMATS, assert_same, derivatives, leaf


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@FORMATS
@pytest.mark.parametrize("size", [(6, 4), (7, 5), (1, 1)])
@pytest.mark.parametrize("stride", [2, 3])
class TestSubsample:
    def test_derivatives(self, stride, size, memory_format):
        """Those of torch's slices, of the backward pass as well."""
        x = leaf(2, 3, *size, memory_format=memory_format)
        offsets = (0, 1) if min(size) > 1 else (0,)
        found = subsample(x.square(), stride, offsets)
        expected = [x.square()[:, :, i::stride, i::stride] for i in offsets]
        assert_same(derivatives(found, (x,)), derivatives(expected, (x,)))

    def test_memory_format(self, stride, size, memory_format):
        """Of the image, for what is read of it and for its gradient."""
        x = leaf(2, 3, *size, memory_format=memory_format)
        found = subsample(x, stride)
        (gradient,) = torch.autograd.grad(found, x, [leaf(*part.shape) for part in found])
        for tensor in (*found, gradient):
            assert tensor.is_contiguous(memory_format=memory_format)
