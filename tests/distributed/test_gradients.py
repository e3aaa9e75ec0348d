"""What DDP does with the gradients of several backward passes, and of weights without one."""

import pytest
import torch
from torch import nn

from nas.distributed.launch import Share
from tests.distributed.ranks import run_ranks

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
ROWS = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(3, 1, dtype=torch.float64)
        self.unused = nn.Linear(3, 1, dtype=torch.float64)

    def forward(self, x):
        return self.used(x)


def gradient(ranks, num_parts):
    torch.manual_seed(ranks.rank)  # the weights become those of the first rank
    net = Net()
    parallel = ranks.parallel(net, ROWS[:2])
    own = ROWS[Share(ranks.rank, ranks.size).of(len(ROWS))]
    for part in own.chunk(num_parts):
        (parallel(part).square().mean() / num_parts).backward()
    return net.used.weight.grad, net.unused.weight.grad


@pytest.mark.parametrize("num_parts", [1, 2])
def test_micro_batches_on_two_ranks(tmp_path, num_parts):
    """The gradient is that of the mean over all rows: 2 / N * sum over rows of (w x + b) x."""
    found = run_ranks(2, lambda ranks: gradient(ranks, num_parts), tmp_path)
    torch.manual_seed(0)
    net = Net()
    expected = 2 / len(ROWS) * (net.used(ROWS).detach() * ROWS).sum(dim=0, keepdim=True)
    for used, unused in found:
        torch.testing.assert_close(used, expected, rtol=1e-12, atol=1e-12)
        assert unused is None or not unused.any()
