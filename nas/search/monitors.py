"""Monitors: numbers about a search that are measured after every epoch, with any method.

A monitor is a frozen dataclass, called as `monitor(searcher)`; it returns numbers by name. They go
to metrics.jsonl under "measures", and from there to TensorBoard and the report.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from nas.config import SearchConfig
from nas.config.choice import read_choice
from nas.errors import ConfigError, shown
from nas.records import is_number
from nas.search.hessian import AlphaHessian, largest_eigenvalue
from nas.search.registry import METHODS, build, register_monitor
from nas.space import Space

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


EIGENVALUE = "eigenvalue"
"""The name of the measure, which the stopping rule of the same name reads."""


@register_monitor("eigenvalue", source="Robust DARTS (arXiv:1909.09656), Sec. 3.2")
@dataclass(frozen=True)
class DominantEigenvalue:
    """Largest eigenvalue of the Hessian of the validation loss in the alphas, on one batch.

    It grows before a search collapses. See `nas.search.hessian`.
    """

    every: int = 2
    """Measure after every N-th epoch, and after the last one."""
    num_products: int = 40
    """At most this many Hessian-vector products."""
    tolerance: float = 1e-3
    """Residual at which to stop, relative to the largest absolute eigenvalue."""

    def __post_init__(self) -> None:
        for name in ("every", "num_products"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected 1 or more, found {getattr(self, name)}")
        if not 0 <= self.tolerance < 1:
            raise ConfigError(f"tolerance: expected 0 to 1, found {self.tolerance:g}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse an arithmetic or a method that second derivatives do not work with."""
        if config.precision != "fp32":
            raise ConfigError(
                f"monitor: eigenvalue: needs precision fp32, found {config.precision}; second "
                "derivatives are lost in the rounding of lower precisions"
            )
        if config.compile not in ("auto", "off"):
            raise ConfigError(
                f"monitor: eigenvalue: needs compile off, found {config.compile}; compiled code "
                "has no second derivatives"
            )
        method = build(METHODS, read_choice(config.method, "method"), "method")
        if not method.mixes_operators:
            raise ConfigError(
                f"monitor: eigenvalue: does not work with {config.method}, which runs one operator "
                "on each edge: its loss has no curvature in the alphas; leave the monitor out"
            )

    def __call__(self, searcher: "Searcher") -> dict[str, float]:
        """Return `eigenvalue` after the epochs that are due."""
        epoch, last = searcher.progress.epoch, searcher.progress.epochs - 1
        if epoch % self.every and epoch != last:
            return {}
        hessian = AlphaHessian(
            searcher.net,
            searcher.alphas,
            searcher.loss,
            next(iter(searcher.data.measure_loader(epoch))),
            arch_weights=lambda: searcher.method.arch_weights(
                searcher.alphas, searcher.progress, None
            ),
            compute=searcher.compute,
            ranks=searcher.ranks,
        )
        start = torch.randn(hessian.size, generator=torch.Generator().manual_seed(0))
        largest = largest_eigenvalue(
            hessian.__matmul__,
            start.to(hessian.alphas[0]),
            num_products=self.num_products,
            tolerance=self.tolerance,
        )
        return {EIGENVALUE: largest.value}


def measure_all(searcher: "Searcher") -> dict[str, float]:
    """Return the numbers of the method and of the monitors of a search, by name.

    Raises:
        ConfigError: Two of them have the same name, or a monitor returns no finite number.
    """
    measures = searcher.method.measures(searcher.alphas, searcher.progress)
    for monitor in searcher.monitors:
        more = monitor(searcher)
        if taken := sorted(measures.keys() & more.keys()):
            raise ConfigError(f"monitor: {', '.join(taken)} is measured twice; rename one")
        for name, value in more.items():
            if not is_number(value):
                raise ConfigError(
                    f"monitor: {name}: expected a finite number, found {shown(value)}"
                )
        measures |= more
    return measures
