"""Give a supernet more channels during a search: new channels are copies of old ones.

The network computes another function afterwards, because the weights are not divided among the
copies; it is trained further.

Source: DrNAS (arXiv:2006.10355), Sec. 3.3, and its code (xiangning-chen/DrNAS f2caa4d).
Deviation: the code chooses the copies layer by layer; here the operators of an edge, or of a state
that shares them, copy the same channels everywhere, so that layers that follow each other fit.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nas.layers import FactorizedReduce
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

    def copied(edge: int, old: int, new: int) -> Tensor:
        if (edge, old, new) not in copies:
            copies[edge, old, new] = choose(old, new)
        return copies[edge, old, new]

    def grown(tensor: Tensor, like: Tensor, place: _Place) -> Tensor:
        for dim, (old, new) in enumerate(zip(tensor.shape, like.shape, strict=True)):
            if old != new and place.is_after_halves:
                half = old // 2
                even = copied(place.edge, half, new // 2)
                odd = copied(place.edge, old - half, new - new // 2)
                tensor = tensor.index_select(dim, torch.cat([even, half + odd]).to(tensor.device))
            elif old != new:
                tensor = tensor.index_select(dim, copied(place.edge, old, new).to(tensor.device))
        return tensor

    for place, successor_place in zip(_places(net), _places(wider), strict=True):
        module, name = place.module, place.name
        successor = successor_place.module
        old, like = getattr(module, name), getattr(successor, name)
        if isinstance(old, nn.Parameter):
            momentum = optimizer.state[old] if old in optimizer.state else {}
            for key, value in momentum.items():
                if isinstance(value, Tensor) and value.shape == old.shape:
                    momentum[key] = grown(value, like, place)
            old.grad = None
            old.data = grown(old.data, like, place)
            setattr(successor, name, old)
        else:
            setattr(successor, name, grown(old, like, place))
    for name, child in wider.named_children():
        setattr(net, name, child)


class _Place(NamedTuple):
    """Where a parameter or buffer is."""

    module: nn.Module
    name: str
    edge: int
    """Which edge, or state that shares operators, counted from 1."""
    is_after_halves: bool
    """Whether the channels are those of two convolutions next to each other."""


def _places(net: nn.Module) -> list[_Place]:
    """Return the place of every parameter and buffer."""
    places, edge, norms = [], 0, set()
    for module in net.modules():
        edge += isinstance(module, Edge | SharedOperators)
        if isinstance(module, FactorizedReduce):
            norms.add(module[-1])
        for tensors in (module._parameters, module._buffers):
            places += [
                _Place(module, name, edge, module in norms)
                for name, tensor in tensors.items()
                if tensor is not None
            ]
    return places
