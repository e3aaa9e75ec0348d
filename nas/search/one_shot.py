"""How good one network is with the weights of a supernet: its one-shot accuracy.

The running statistics of a supernet are a mixture over all paths and fit none of them. So those of
the tested network are computed again, on batches that train the weights:

    mean_c = the mean over the batches of the mean of channel c in a batch
    var_c  = the mean over the batches of the unbiased variance of channel c in a batch

Then the accuracy is that on the images that updated no weights. All networks see the same batches
with the same augmentation.

Source: SPOS (arXiv:1904.00420), Sec. 3.4 and its code.
Deviation: the code moves the statistics by a factor of 0.1 a batch, so that the last ten count
most; here all batches count the same, as in `torch.optim.swa_utils.update_bn`.

Shape legend: N images, C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.runtime.compute import Batch
from nas.runtime.meter import Meter
from nas.search.searcher import Searcher
from nas.supernet import ArchWeights


class _Path(nn.Module):
    """A supernet with the weights of one network, as a network of images."""

    def __init__(self, searcher: Searcher, weights: ArchWeights):
        super().__init__()
        self.net = searcher.net
        self.compute = searcher.compute
        self.weights = weights

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> logits, (N, num_classes)."""
        with self.compute.autocast():
            return self.net(images, self.weights)


class OneShot:
    """Measures networks in the supernet of a search that has ended.

    The weights stay as they are. The running statistics of the supernet are those of the network
    that was measured last.
    """

    def __init__(
        self,
        searcher: Searcher,
        statistics_batches: int,
        val_batches: int = 0,
        check_stop: Callable[[], None] = lambda: None,
    ):
        """Prepare.

        Args:
            searcher: With the network, the data and the ranks.
            statistics_batches: Training batches for the running statistics, one epoch at most.
            val_batches: Validation batches to measure on; 0 is all.
            check_stop: Called after each batch; may raise.
        """
        self.searcher = searcher
        self.statistics_batches = statistics_batches
        self.val_batches = val_batches or None
        self.check_stop = check_stop
        self._start = searcher.data.train_loader.state_dict()

    @torch.no_grad()
    def accuracy(self, weights: ArchWeights) -> float:
        """Return the top-1 accuracy of a network on the validation part, in percent.

        Args:
            weights: Those with which the supernet is this network.
        """
        searcher = self.searcher
        path = _Path(searcher, weights)
        average_statistics(path, (images for images, _ in self._training_batches()))
        averages = [b for b in path.buffers() if b.is_floating_point()]
        searcher.ranks.mean_(averages)  # each has seen its share of the batches
        path.eval()
        meter = Meter(searcher.device)
        batches = searcher.data.measure_loader(searcher.epochs)
        for images, targets in islice(batches, self.val_batches):
            if len(targets):
                logits = path(images)
                meter.update(searcher.loss(logits, targets), logits, targets)
            self.check_stop()
        return meter.over_ranks(searcher.ranks).accuracy

    def _training_batches(self) -> Iterator[Batch]:
        """Yield the same batches in every call, and leave the loader where it was."""
        loader = self.searcher.data.train_loader
        try:
            for batch in islice(iter(loader), self.statistics_batches):
                yield batch
                self.check_stop()
        finally:
            loader.load_state_dict(self._start)


@torch.no_grad()
def average_statistics(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Compute running statistics again, as means over batches in which all count the same.

    It is `torch.optim.swa_utils.update_bn`, but the batches are counted on the host: a BatchNorm
    without a momentum reads their number from the device, in every layer and batch.

    Args:
        net: Is in training mode afterwards. Each of its BatchNorms runs once in every batch, or
            never.
        batches: Images, (N, C, H, W).
    """
    momenta = {norm: norm.momentum for norm in net.modules() if isinstance(norm, _BatchNorm)}
    for norm in momenta:
        norm.reset_running_stats()
    net.train()
    try:
        for number, images in enumerate(batches, start=1):
            for norm in momenta:
                norm.momentum = 1 / number  # mean_n = mean_(n-1) + (x_n - mean_(n-1)) / n
            net(images)
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
