"""Monitors: numbers about a search that are measured after every epoch, with any method.

A monitor is a frozen dataclass, called as `monitor(searcher)`; it returns numbers by name. They go
to metrics.jsonl under "measures", and from there to TensorBoard and the report.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from nas.search.registry import register_monitor

if TYPE_CHECKING:
    from nas.search.searcher import Searcher


class Monitor(Protocol):
    """What a monitor is called as."""

    def __call__(self, searcher: "Searcher") -> dict[str, float]:
        """Return numbers by name."""
        ...


@register_monitor("margin")
@dataclass(frozen=True)
class Margin:
    """Mean distance between the two largest operator weights of an edge, for each group.

    Near 0 the choice of operators could as well be random.
    """

    @torch.no_grad()
    def __call__(self, searcher: "Searcher") -> dict[str, float]:
        """Return `margin/GROUP`, from 0 to 1."""
        weights = searcher.distribution()
        margins = {}
        for group, group_weights in weights.items():
            two = group_weights.ops.topk(min(2, group_weights.ops.shape[1]), dim=1).values
            margins[f"margin/{group}"] = (two[:, 0] - two[:, -1]).mean().item()
        return margins
