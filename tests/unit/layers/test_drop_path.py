"""Drop path: expectation, scale, off in eval mode."""

import pytest
import torch

from nas.layers import (
    drop_path,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class TestDropPath:
    def test_whole_images_are_dropped_and_the_others_scaled(self):
        """Each image is all zero or divided by the probability of keeping it."""
        x = torch.rand(1000, 2, 3, 3) + 0.5
        y = drop_path(x, 0.3)
        kept = (y != 0).flatten(1).all(dim=1)
        assert torch.equal((y != 0).flatten(1).any(dim=1), kept)
        torch.testing.assert_close(y[kept], x[kept] / 0.7)
        assert abs(kept.double().mean() - 0.7) < 4 * (0.3 * 0.7 / 1000) ** 0.5

    def test_zero_is_the_identity(self):
        x = torch.rand(2, 1, 2, 2)
        assert drop_path(x, 0.0) is x
