"""A second stage of a search, which has fewer operators on wider edges.

A method uses it by returning a `SecondStage` from `make_state` and beginning it in `begin_epoch`.

Source: DrNAS (arXiv:2006.10355), Sec. 3.3, and its code (xiangning-chen/DrNAS f2caa4d).

Shape legend: E edges, P primitives.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nas.operators import get_operator
from nas.search.method import Method
from nas.search.network import build_network
from nas.search.searcher import Searcher
from nas.space import SearchSpace
from nas.supernet.widen import random_copies, widen


class SecondStage:
    """When the second stage began, and which pairs it keeps; the state of a method.

    A resumed run begins it again, so that alphas and network have its shapes, before their values
    are loaded.
    """

    def __init__(self, searcher: Searcher, method: Method, keep: int):
        """Wait.

        Args:
            searcher: The search.
            method: Its edges and channels are those of the stage.
            keep: Number of operators that an edge keeps.
        """
        self.searcher = searcher
        self.method = method
        self.keep = keep
        self.start: int | None = None
        """The first epoch of the stage; None before it."""

    def begin(self) -> None:
        """Prune the alphas to the largest and widen the network, at the start of an epoch."""
        alphas, adam = self.searcher.alphas, self.searcher.alpha_optimizer
        self.start = self.searcher.epoch
        kept = {g: largest(alphas[g], alphas.mask(g), self.keep) for g in alphas.groups}
        self._apply(kept, self.searcher.generator)
        for group in alphas.groups:  # no momentum moves an alpha that is gone
            for value in adam.state[alphas[group]].values():
                if value.shape == alphas[group].shape:
                    value.masked_fill_(~alphas.kept(group), 0)

    def epochs_before(self) -> int:
        """Return how many epochs came before the current stage."""
        return self.start or 0

    def _apply(self, kept: Mapping[str, Tensor], generator: torch.Generator) -> None:
        searcher, channels = self.searcher, self.searcher.config.init_channels
        searcher.release()  # a wrapper for several processes knows the old sizes and operators
        searcher.alphas.prune(kept)
        before, now = (m.operator_channels(channels) for m in (searcher.method, self.method))
        if now > before:
            with torch.random.fork_rng(devices=[]):  # the first values of the new one are not used
                wider = build_network(searcher.config, searcher.space, searcher.data, self.method)
            widen(searcher.net, wider, searcher.weight_optimizer, random_copies(generator))
            searcher.compute.place(searcher.net)
        searcher.renew_network()

    def state_dict(self) -> dict[str, Any]:
        """Return the first epoch of the stage and the pairs it keeps."""
        alphas = self.searcher.alphas
        return {"start": self.start, "kept": {g: alphas.kept(g).cpu() for g in alphas.groups}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bring alphas and network to the shapes of the stage."""
        self.start = state["start"]
        if self.start is not None:
            self._apply(state["kept"], torch.Generator())


def largest(values: Tensor, present: Tensor, count: int) -> Tensor:
    """Return where the `count` largest existing values of each row are, (E, P), bool.

    Ties go to the first.
    """
    order = values.masked_fill(~present, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(present).scatter_(1, order[:, :count], True) & present


def heaviest(space: SearchSpace, count: int) -> dict[str, Tensor]:
    """Return, by group, `count` pairs of each edge, those with weights first, (E, P), bool."""
    has_weights = [float(not get_operator(name).parameter_free) for name in space.primitives]
    masks = {group: torch.tensor(space.mask(group)) for group in space.groups}
    return {
        group: largest(torch.tensor(has_weights).expand(mask.shape), mask, count)
        for group, mask in masks.items()
    }
