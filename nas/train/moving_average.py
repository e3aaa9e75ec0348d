"""The moving average of a network's weights, which some recipes measure."""

import itertools

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """average = decay * average + (1 - decay) * w, of parameters and buffers; the first is a copy.

    torch's class with an update that does not wait for a GPU: torch copies the number of updates
    to the device each time, though the average does not depend on it.
    """

    def __init__(self, net: nn.Module, decay: float):
        """Copy a network.

        Args:
            net: On its device.
            decay: In (0, 1).
        """
        update = get_ema_multi_avg_fn(decay)
        super().__init__(net, multi_avg_fn=update, use_buffers=True)
        self._update = update

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Move the average towards the network; both are on one device."""
        pairs = list(zip(_tensors(self.module), _tensors(model), strict=True))
        is_first = bool(self.n_averaged == 0)  # on the CPU
        for is_floating in (True, False):
            chosen = [pair for pair in pairs if pair[0].is_floating_point() == is_floating]
            if not chosen:
                continue
            own, new = ([pair[side].detach() for pair in chosen] for side in (0, 1))
            if is_first:
                torch._foreach_copy_(own, new)
            else:
                self._update(own, new, self.n_averaged)
        self.n_averaged += 1


def _tensors(net: nn.Module) -> list[Tensor]:
    return list(itertools.chain(net.parameters(), net.buffers()))
