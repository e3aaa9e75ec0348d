"""Channels put side by side and taken apart, and the gradients."""

import pytest
import torch

from nas.layers import concatenate, split
from tests.derivatives import FORMATS, assert_same, derivatives, leaf


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@FORMATS
def test_concatenate_is_cat_with_dense_gradients(memory_format):
    parts = [leaf(2, channels, 4, 4, memory_format=memory_format) for channels in (3, 1, 2)]
    whole = concatenate(parts)
    assert torch.equal(whole, torch.cat(parts, dim=1))
    direction = leaf(*whole.shape, memory_format=memory_format)
    found = torch.autograd.grad(whole, parts, direction)
    for gradient, part in zip(found, direction.split([3, 1, 2], dim=1), strict=True):
        assert torch.equal(gradient, part)
        assert gradient.is_contiguous(memory_format=memory_format)


@FORMATS
def test_split_is_torchs_with_dense_parts(memory_format):
    x = leaf(2, 6, 4, 4, memory_format=memory_format)
    parts = split(x, [4, 2])
    directions = [leaf(*part.shape, memory_format=memory_format) for part in parts]
    for part, expected in zip(parts, x.split([4, 2], dim=1), strict=True):
        assert torch.equal(part, expected)
        assert part.is_contiguous(memory_format=memory_format)
    (gradient,) = torch.autograd.grad(parts, x, directions)
    assert torch.equal(gradient, torch.cat(directions, dim=1))
    assert gradient.is_contiguous(memory_format=memory_format)


def test_a_part_that_nobody_reads_has_a_gradient_of_zero():
    x = leaf(1, 3, 2, 2)
    split(x, [1, 2])[0].sum().backward()
    assert x.grad.sum(dim=(0, 2, 3)).tolist() == [4, 0, 0]


@FORMATS
def test_derivatives(memory_format):
    """Those of torch's cat and split, of the backward passes as well."""
    parts = [leaf(2, channels, 3, 4, memory_format=memory_format) for channels in (1, 2)]
    found = split(concatenate(parts).square(), [2, 1])
    expected = torch.cat(parts, dim=1).square().split([2, 1], dim=1)
    assert_same(derivatives(found, parts), derivatives(expected, parts))
