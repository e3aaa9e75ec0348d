"""Auxiliary heads at every image size."""

import pytest
import torch

from nas.layers import (
    AuxiliaryHeadCIFAR,
    AuxiliaryHeadImageNet,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


@pytest.mark.parametrize(("head", "size"), [(AuxiliaryHeadCIFAR, 8), (AuxiliaryHeadImageNet, 7)])
def test_auxiliary_heads(head, size):
    """At the reference's size the last convolution leaves one pixel, so averaging is no change."""
    module = head(6, 10).eval()
    x = torch.randn(2, 6, size, size)
    pool = next(layer for layer in module if isinstance(layer, torch.nn.AdaptiveAvgPool2d))
    seen = []
    pool.register_forward_hook(lambda _, inputs, output: seen.append((*inputs, output)))
    module(x)
    before, after = seen[0]
    assert before.shape == (2, 768, 1, 1) and torch.equal(before, after)
    assert module(x).shape == (2, 10)
    assert module(torch.randn(2, 6, 16, 16)).shape == (2, 10)
