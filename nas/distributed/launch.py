"""Where this process stands among those that torchrun started (no torch).

The only place that reads RANK and its like.
"""

import os
from dataclasses import dataclass

from nas.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """A process among those of one run; one alone unless torchrun says otherwise."""

    rank: int = 0
    """Among all processes."""
    local_rank: int = 0
    """Among those of this machine; the number of its GPU."""
    size: int = 1
    """Processes in all."""
    restarts: int = 0
    """How often torchrun has started them anew; machines may count differently."""
    is_one_machine: bool = True
    """Whether all processes are on this machine."""


def read_launch() -> Launch:
    """Read what torchrun tells its processes.

    Raises:
        ConfigError: A variable of torchrun's is set and is not a number.
    """
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return Launch()
    rank, size = _number("RANK"), _number("WORLD_SIZE")
    local_rank = _number("LOCAL_RANK", rank)
    restarts = _number("TORCHELASTIC_RESTART_COUNT", 0)
    return Launch(rank, local_rank, size, restarts, _number("LOCAL_WORLD_SIZE", size) == size)


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdecimal():
        raise ConfigError(f"the environment variable {name}: expected a number, found {text!r}")
    return int(text)
