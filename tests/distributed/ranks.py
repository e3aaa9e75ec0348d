"""Processes that talk over gloo, forked from the test so that nothing is imported anew."""

import multiprocessing
import os
import traceback

import torch
import torch.distributed as dist
from torch import nn

from nas.distributed.ranks import TorchRanks

TIMEOUT_S = 120


def run_ranks(size, function, folder):
    """Call function(ranks) on each of `size` ranks; returns what they returned, in order."""
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_work, args=(rank, size, function, folder)) for rank in range(size)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(TIMEOUT_S)
    said = [path.read_text() for path in sorted(folder.glob("*.err"))]
    assert [worker.exitcode for worker in workers] == [0] * size, "\n".join(said)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


def _work(rank, size, function, folder):
    try:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size
        )
        torch.save(function(TorchRanks(torch.device("cpu"))), folder / f"{rank}.pt")
        dist.destroy_process_group()
    except BaseException:
        (folder / f"{rank}.err").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)


class AllReducingNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d over the batch of all ranks: what SyncBatchNorm is, which refuses CPUs."""

    ranks: TorchRanks

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        moments = torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))])
        ((mean, square),) = self.ranks.mean_in_graph([moments])
        var = square - mean.square()
        num = x.numel() / x.shape[1] * self.ranks.size
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * num / (num - 1), self.momentum)
        shape = (1, -1, 1, 1)
        x = (x - mean.view(shape)) / (var.view(shape) + self.eps).sqrt()
        return x * self.weight.view(shape) + self.bias.view(shape) if self.affine else x


def replace_norms(net, ranks):
    """Turn every BatchNorm of a network into an AllReducingNorm."""
    for module in net.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__, module.ranks = AllReducingNorm, ranks
    return net
