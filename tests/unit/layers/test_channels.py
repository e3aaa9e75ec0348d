"""Channels put side by side and taken apart, and the gradients."""

import pytest
import torch

from nas.layers import concatenate, split

FORMATS = pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, memory_format=torch.contiguous_format):
    x = torch.randn(*shape, dtype=torch.float64)
    return x.to(memory_format=memory_format).requires_grad_()


@FORMATS
def test_concatenate_is_cat_with_dense_gradients(memory_format):
    parts = [randn(2, channels, 4, 4, memory_format=memory_format) for channels in (3, 1, 2)]
    whole = concatenate(parts)
    torch.testing.assert_close(whole, torch.cat(parts, dim=1), rtol=0, atol=0)
    direction = randn(*whole.shape, memory_format=memory_format)
    found = torch.autograd.grad(whole, parts, direction)
    for gradient, part in zip(found, direction.split([3, 1, 2], dim=1), strict=True):
        assert torch.equal(gradient, part)
        assert gradient.is_contiguous(memory_format=memory_format)


@FORMATS
def test_split_is_torchs_with_dense_parts(memory_format):
    x = randn(2, 6, 4, 4, memory_format=memory_format)
    parts = split(x, [4, 2])
    directions = [randn(*part.shape, memory_format=memory_format) for part in parts]
    for part, expected in zip(parts, x.split([4, 2], dim=1), strict=True):
        assert torch.equal(part, expected)
        assert part.is_contiguous(memory_format=memory_format)
    (gradient,) = torch.autograd.grad(parts, x, directions)
    assert torch.equal(gradient, torch.cat(directions, dim=1))
    assert gradient.is_contiguous(memory_format=memory_format)


def test_a_part_that_nobody_reads_has_a_gradient_of_zero():
    x = randn(1, 3, 2, 2)
    split(x, [1, 2])[0].sum().backward()
    assert x.grad.sum(dim=(0, 2, 3)).tolist() == [4, 0, 0]


def test_derivatives():
    """By finite differences, of the backward passes as well."""
    parts = [randn(1, channels, 2, 2) for channels in (1, 2)]

    def call(*parts):
        return split(concatenate(parts).square(), [2, 1])

    assert torch.autograd.gradcheck(call, parts)
    assert torch.autograd.gradgradcheck(call, parts)
