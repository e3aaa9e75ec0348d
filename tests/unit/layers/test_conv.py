"""FactorizedReduce, at even and odd sizes."""

import pytest
import torch
import torch.nn.functional as F

from nas.layers import (
    FactorizedReduce,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def randn(*shape, **settings):
    return torch.randn(*shape, dtype=torch.float64, **settings)


class TestFactorizedReduce:
    @pytest.mark.parametrize("size", [(8, 8), (7, 8), (8, 7), (7, 7), (1, 1)])
    def test_reads_even_and_odd_pixels(self, size):
        """One half reads the even pixels, the other the odd ones, zeros where there are none."""
        block = FactorizedReduce(4, 6, affine=False).double()
        x = randn(2, 4, *size)
        even, odd = (p for p in block.parameters())
        r = F.relu(x)
        rows, columns = -(-size[0] // 2), -(-size[1] // 2)
        padded = torch.zeros(2, 4, 2 * rows, 2 * columns, dtype=torch.float64)
        padded[:, :, : size[0], : size[1]] = r
        first = torch.einsum("nchw,oc->nohw", padded[:, :, 0::2, 0::2], even[:, :, 0, 0])
        second = torch.einsum("nchw,oc->nohw", padded[:, :, 1::2, 1::2], odd[:, :, 0, 0])
        expected = F.batch_norm(torch.cat([first, second], 1), None, None, training=True)
        torch.testing.assert_close(block(x), expected)
