"""Running means over the samples of an epoch."""

import torch
from torch import Tensor

from nas.distributed.ranks import Ranks


class Meter:
    """Mean loss and top-1 accuracy over samples, computed on the device.

    Sums are float64, so that a mean does not depend on the batch size beyond the rounding of the
    batch means.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)

    def update(self, loss: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Add a batch, which may be empty.

        Args:
            loss: Mean over the batch, a scalar.
            logits: (N, num_classes).
            targets: Class indices, (N,).
        """
        num = len(targets)
        if num == 0:
            return  # the mean over no samples is not a number
        correct = (logits.detach().argmax(dim=1) == targets).sum()
        self._sums[0] += loss.detach().double() * num
        self._sums[1] += correct
        self._sums[2] += num

    def over_ranks(self, ranks: Ranks) -> "Meter":
        """Return a meter over the samples of all ranks."""
        total = Meter(self._sums.device)
        total._sums.copy_(self._sums)
        ranks.sum_(total._sums)
        return total

    @property
    def num_samples(self) -> int:
        """Number of samples so far."""
        return int(self._sums[2])

    @property
    def loss(self) -> float:
        """Mean loss in nats."""
        return (self._sums[0] / self._sums[2]).item()

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy in percent."""
        return (100 * self._sums[1] / self._sums[2]).item()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums so far."""
        return {"sums": self._sums.cpu().clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from sums that `state_dict` returned."""
        self._sums.copy_(state["sums"])


class LossMeter(Meter):
    """Means of several losses, in place of loss and accuracy; a sample is a batch."""

    def __init__(self, device: torch.device, names: tuple[str, ...]):
        """Start without a batch."""
        super().__init__(device)
        self.names = names
        self._sums = torch.zeros(len(names) + 1, dtype=torch.float64, device=device)

    def add(self, *losses: Tensor) -> None:
        """Add the losses of a batch, scalars in the order of their names."""
        self._sums += torch.stack([*losses, torch.ones_like(losses[0])]).detach().double()

    def over_ranks(self, ranks: Ranks) -> "LossMeter":
        """Return a meter over the batches of all ranks."""
        total = LossMeter(self._sums.device, self.names)
        total._sums.copy_(self._sums)
        ranks.sum_(total._sums)
        return total

    @property
    def num_samples(self) -> int:
        """Number of batches so far."""
        return int(self._sums[-1])

    @property
    def means(self) -> dict[str, float]:
        """The mean of each loss."""
        values = (self._sums[:-1] / self._sums[-1]).tolist()
        return dict(zip(self.names, values, strict=True))

    @property
    def loss(self) -> float:
        """The sum of the means."""
        return sum(self.means.values())
