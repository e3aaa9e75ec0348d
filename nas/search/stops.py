"""Stopping rules: when a search ends early, and which epoch's cell it keeps.

A rule is a frozen dataclass, called as `rule(records)` with the lines of metrics.jsonl so far. It
reads nothing else, so that a resumed search decides as an uninterrupted one does. A rule, a term or
a monitor may have `check(config, space)`, which raises ConfigError before the search starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.search.registry import register_stop
from nas.space import SearchSpace


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

    def check(self, config: SearchConfig, space: SearchSpace) -> None:
        """Refuse a group that the space does not have, before the search starts."""
        if self.group not in space.groups:
            raise ConfigError(
                f"stop: skip_count: group: expected one of {', '.join(space.groups)}, "
                f"found {self.group}"
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
