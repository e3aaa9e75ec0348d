"""How many processes a run has, which one this is, and its share of a batch (no torch).

This is the only place that reads RANK and the other variables of torchrun.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

from nas.errors import ConfigError


@dataclass(frozen=True)
class Launch:
    """One process of a run; without torchrun the only one."""

    rank: int = 0
    """Number of this process among all."""
    local_rank: int = 0
    """Number of this process on its machine, and of its GPU."""
    size: int = 1
    """Number of processes."""
    restarts: int = 0
    """How often torchrun restarted the processes; machines may count differently."""
    is_one_machine: bool = True
    """Whether all processes are on this machine."""


def read_launch() -> Launch:
    """Read what torchrun tells its processes.

    Raises:
        ConfigError: A variable of torchrun is set and is not a number.
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


class Share(NamedTuple):
    """What one process takes: the part number `rank` of `size` parts of every batch.

    All processes draw the same random numbers for the whole batch. The batch and the augmentation
    of its images therefore do not depend on the number of processes.
    """

    rank: int = 0
    size: int = 1

    def of(self, num: int) -> slice:
        """Return the part of a batch of `num` images; every image is in exactly one part."""
        return slice(num * self.rank // self.size, num * (self.rank + 1) // self.size)

    def num_used(self, num_images: int, batch_size: int, even: bool) -> int:
        """Return how many images of an epoch are used.

        Args:
            num_images: N.
            batch_size: Over all processes.
            even: Whether all parts of a batch must have the same size, as in training. Then up to
                size - 1 images at the end of an epoch's order are left out.

        Deviation: one process trains on all images of every epoch; several leave these out.
        """
        left_out = num_images % batch_size % self.size if even else 0
        return num_images - left_out


WHOLE = Share()
