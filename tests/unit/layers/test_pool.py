"""Average pooling at the border."""

import pytest
import torch

from nas.layers import (
    avg_pool,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_average_pooling_counts_real_pixels_only():
    """A constant image stays constant up to its border."""
    assert torch.equal(avg_pool(1)(torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 5, 5))
