"""Stopping rules: when a search ends early, and which epoch's cell it keeps.

A rule is a frozen dataclass, called as `rule(records)` with the lines of metrics.jsonl so far. It
reads nothing else, so that a resumed search decides as an uninterrupted one does. A rule, a term or
a monitor may have `check(config, space)`, which raises ConfigError before the search starts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nas.config import SearchConfig
from nas.config.choice import read_choice, read_choices
from nas.errors import ConfigError
from nas.operators import get_operator
from nas.search.registry import METHODS, MONITORS, build, register_stop
from nas.space import SearchSpace, Space, get_cell_family


class Stop(NamedTuple):
    """The decision to end a search."""

    epoch: int
    """The epoch whose cell is kept, from 0."""
    reason: str


class StoppingRule(Protocol):
    """What a stopping rule is called as."""

    def __call__(self, records: Sequence[dict[str, Any]]) -> Stop | None:
        """Return a decision, or None to go on."""
        ...


@register_stop("skip_count", source="DARTS+ (arXiv:1909.06035), criterion 1")
@dataclass(frozen=True)
class SkipCount:
    """Stops when the normal cell has `limit` skip connections; keeps the cell of that epoch.

    Source: DARTS+ (arXiv:1909.06035), criterion 1: two or more.
    """

    limit: int = 2
    """Number of skip connections that ends the search."""
    group: str = "normal"
    """The group of cells that is counted."""
    keep_before: bool = False
    """Keep the cell of the epoch before, which had fewer, where there is one."""

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ConfigError(f"limit: expected 1 or more, found {self.limit}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse a group that the space does not have, before the search starts."""
        get_cell_family(space.family, "stop: skip_count: space")
        assert isinstance(space, SearchSpace)
        if self.group not in space.groups:
            raise ConfigError(
                f"stop: skip_count: group: expected one of {', '.join(space.groups)}, "
                f"found {self.group}"
            )
        most = _most_skips(space, self.group, config)
        if self.limit > most:
            raise ConfigError(
                f"stop: skip_count: limit: found {self.limit}, but a {self.group} cell of space "
                f"{space.name} has at most {most} skip connections, so it would never act; lower it"
            )

    def __call__(self, records: Sequence[dict[str, Any]]) -> Stop | None:
        """See `StoppingRule`."""
        for index, record in enumerate(records):
            count = record["num_skips"][self.group]
            if count >= self.limit:
                kept = records[max(index - self.keep_before, 0)]["epoch"]
                cells = f"the {self.group} cell has {count} skip connections"
                return Stop(kept, f"{cells} after epoch {record['epoch']} (limit {self.limit})")
        return None


@register_stop("eigenvalue", source="DARTS-ES, Robust DARTS (arXiv:1909.09656), Sec. 4.3")
@dataclass(frozen=True)
class EigenvalueGrows:
    """Stops when the smoothed dominant eigenvalue has grown; keeps the cell from before that.

    The values that the monitor `eigenvalue` measured are averaged over a window centered on each
    (shorter at both ends). When the newest average with a whole window is above `factor` times the
    average `delta` measurements earlier, the search ends with the cell of that earlier epoch. With
    the defaults and a measurement every 2 epochs, that is the cell of 12 epochs ago, and epoch 22
    is the first that can end a search.

    Source: Robust DARTS (arXiv:1909.09656), Sec. 4.3, and its code (automl/RobustDARTS 3dec3fe).
    Deviation: the paper writes lambda(i - k) / lambda(i) < 0.75 with k = 5; this is the rule of the
    code. No decision is made on an average that is not positive.
    """

    factor: float = 1.3
    """Growth that ends the search."""
    window: int = 5
    """Measurements in an average; odd."""
    delta: int = 4
    """Measurements between the two averages."""
    first: int = 10
    """The earliest epoch whose cell may be kept."""

    def __post_init__(self) -> None:
        if not self.factor > 1:
            raise ConfigError(f"factor: expected above 1, found {self.factor:g}")
        if self.window < 1 or self.window % 2 == 0:
            raise ConfigError(f"window: expected an odd number from 1 on, found {self.window}")
        if self.delta < 1:
            raise ConfigError(f"delta: expected 1 or more, found {self.delta}")
        if self.first < 0:
            raise ConfigError(f"first: expected 0 or more, found {self.first}")

    def check(self, config: SearchConfig, space: Space) -> None:
        """Refuse a search that does not measure the eigenvalue."""
        monitors = read_choices(config.all_monitors or "", "monitor")
        if "eigenvalue" not in {one.name for one in monitors}:
            raise ConfigError(
                "stop: eigenvalue: needs the eigenvalue; add `monitor_eigenvalue` 2 to measure it "
                "every 2 epochs"
            )
        every = next(
            build(MONITORS, one, "monitor").every for one in monitors if one.name == "eigenvalue"
        )
        newest = math.ceil(self.first / every) + self.delta + self.window // 2
        if newest * every >= config.epochs:
            raise ConfigError(
                f"stop: eigenvalue: found `epochs` {config.epochs}, but with a measurement every "
                f"{every} epochs it can act from epoch {newest * every} (from 0) on; raise "
                "`epochs`, or lower first, delta or window of the rule"
            )

    def __call__(self, records: Sequence[dict[str, Any]]) -> Stop | None:
        """See `StoppingRule`."""
        measured = [
            (record["epoch"], record["measures"]["eigenvalue"])
            for record in records
            if "eigenvalue" in record.get("measures", {})
        ]
        if len(measured) > 1:  # those of the last epoch, in this run or before a resume, come early
            (first, _), (second, _) = measured[:2]
            measured = [one for one in measured if (one[0] - first) % (second - first) == 0]
        epochs = [epoch for epoch, _ in measured]
        for newest in range(1, len(measured)):
            values = [value for _, value in measured[: newest + 1]]
            current = newest - self.window // 2
            earlier = current - self.delta
            if earlier < 0 or epochs[earlier] < self.first:
                continue
            averages = local_averages(values, self.window)
            before, now = averages[earlier], averages[current]
            if before > 0 and now > self.factor * before:
                return Stop(
                    epochs[earlier],
                    f"the dominant eigenvalue grew from {before:.4g} around epoch "
                    f"{epochs[earlier]} to {now:.4g} around epoch {epochs[current]}, by a factor "
                    f"of {now / before:.3g} (limit {self.factor:g})",
                )
        return None


def _most_skips(space: SearchSpace, group: str, config: SearchConfig) -> int:
    """Return how many skip connections a cell can have that the method decodes."""
    method = build(METHODS, read_choice(config.method, "method"), "method")
    kept = space.kind.edges_per_node if method.keeps_two_edges else None
    has_skip = [any(get_operator(name).is_identity for name in on) for on in space.groups[group]]
    of_nodes = (sum(has_skip[edge] for edge in space.incoming(node)) for node in space.nodes)
    return sum(count if kept is None else min(count, kept) for count in of_nodes)


def local_averages(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of a window centered on each value, shorter at both ends."""
    half = window // 2
    windows = [values[max(0, i - half) : i + half + 1] for i in range(len(values))]
    return [sum(part) / len(part) for part in windows]
