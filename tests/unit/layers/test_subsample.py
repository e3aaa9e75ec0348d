"""Subsampling and its gradient."""

import pytest
import torch

from nas.layers.subsample import subsample


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(6, 4), (7, 5), (1, 1)])
class TestSubsample:
    def test_slices_and_their_gradient(self, size, memory_format):
        """Those of torch's slices; both have the memory format of the image."""
        x = randn(2, 3, *size).to(memory_format=memory_format).requires_grad_()
        offsets = (0, 1) if min(size) > 1 else (0,)
        found = subsample(x, 2, offsets)
        expected = tuple(x[:, :, i::2, i::2] for i in offsets)
        torch.testing.assert_close(found, expected)
        directions = [randn(*part.shape) for part in found]
        (gradient,) = torch.autograd.grad(found, x, directions)
        torch.testing.assert_close(gradient, *torch.autograd.grad(expected, x, directions))
        for tensor in (*found, gradient):
            assert tensor.is_contiguous(memory_format=memory_format)

    def test_derivatives(self, size, memory_format):
        """By finite differences, of the backward pass as well."""
        x = randn(1, 2, *size).to(memory_format=memory_format).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: subsample(x, 2), (x,))
        assert torch.autograd.gradgradcheck(lambda x: subsample(x.square(), 2), (x,))
