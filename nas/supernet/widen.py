"""Give a supernet more channels during a search: new channels are copies of old ones.

The network computes another function afterwards, because the weights are not divided among the
copies; it is trained further.

Source: DrNAS (arXiv:2006.10355), Sec. 3.3, and its code (xiangning-chen/DrNAS f2caa4d).
Deviation: the code chooses the copies layer by layer; here the operators of an edge, or of a state
that shares them, copy the same channels everywhere, so that layers that follow each other fit.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from nas.supernet.edges import Edge
from nas.supernet.shared_edges import SharedOperators

Choose = Callable[[int, int], Tensor]
"""From an old and a larger new number of channels to the old channel that each new one copies."""


def random_copies(generator: torch.Generator) -> Choose:
    """Return a choice that keeps the old channels and draws the others, with replacement."""

    def choose(old: int, new: int) -> Tensor:
        drawn = torch.randint(old, (new - old,), generator=generator)
        return torch.cat([torch.arange(old), drawn])

    return choose


@torch.no_grad()
def widen(
    net: nn.Module, wider: nn.Module, optimizer: torch.optim.Optimizer, choose: Choose
) -> None:
    """Replace the modules of a network by those of a wider one, with the values it has learned.

    The parameters remain the same objects with larger values, so that the optimizer keeps them; its
    momentum grows with them.

    Args:
        net: The network.
        wider: A new network of the same structure; its values are not used.
        optimizer: That of the parameters of `net`.
        choose: Which channels are copied.
    """
    if any(isinstance(module, nn.SyncBatchNorm) for module in net.modules()):
        wider = nn.SyncBatchNorm.convert_sync_batchnorm(wider)
    copies: dict[tuple[int, int, int], Tensor] = {}

    def grown(tensor: Tensor, like: Tensor, edge: int) -> Tensor:
        for dim, (old, new) in enumerate(zip(tensor.shape, like.shape, strict=True)):
            if old != new:
                key = (edge, old, new)
                if key not in copies:
                    copies[key] = choose(old, new)
                tensor = tensor.index_select(dim, copies[key].to(tensor.device))
        return tensor

    for (module, name, edge), (successor, _, _) in zip(_places(net), _places(wider), strict=True):
        old, like = getattr(module, name), getattr(successor, name)
        if isinstance(old, nn.Parameter):
            momentum = optimizer.state[old] if old in optimizer.state else {}
            for key, value in momentum.items():
                if isinstance(value, Tensor) and value.shape == old.shape:
                    momentum[key] = grown(value, like, edge)
            old.grad = None
            old.data = grown(old.data, like, edge)
            setattr(successor, name, old)
        else:
            setattr(successor, name, grown(old, like, edge))
    for name, child in wider.named_children():
        setattr(net, name, child)


def _places(net: nn.Module) -> list[tuple[nn.Module, str, int]]:
    """Return module and name of every parameter and buffer, and which edge or state it is in."""
    return list(_walk(net))


def _walk(net: nn.Module) -> Iterator[tuple[nn.Module, str, int]]:
    edge = 0
    for module in net.modules():
        edge += isinstance(module, Edge | SharedOperators)
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    yield module, name, edge
