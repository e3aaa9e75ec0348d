"""The network as it is deployed: nothing that only training needs, the same logits."""

import copy

from torch import nn

from nas.deploy.fold import fold_batch_norms
from nas.deploy.streams import split_streams


def prepare(net: nn.Module) -> nn.Module:
    """Return a copy for inference alone; the network itself is not changed.

    The auxiliary head is gone, drop path and dropout are off, BatchNorms are folded into the
    convolutions before them, and a partial shortcut (identity tensor multiplier below 1) is in the
    form of `nas.deploy.streams`.

    Args:
        net: (N, C, H, W) -> logits (N, num_classes) in eval mode.
    """
    net = copy.deepcopy(net).eval().requires_grad_(False)
    if hasattr(net, "auxiliary_head"):
        net.auxiliary_head = None
    fold_batch_norms(net)
    split_streams(net)
    return net.requires_grad_(False)
