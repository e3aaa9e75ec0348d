"""What a training step needs of memory, before the run; and what to do when it was too much."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from nas.errors import TrainingError
from nas.runtime.compute import Compute
from nas.runtime.device import total_memory_mib
from nas.runtime.memory import MemoryEstimate

LONG_RUN_STEPS = 200
"""A run of so many steps begins with an estimate of what it takes."""


@dataclass
class StepMemory:
    """The memory of a run's steps, in one process."""

    compute: Compute
    batch_size: int
    """Over all processes."""
    num_processes: int = 1
    can_split: bool = True
    """Whether --micro_batch is allowed beside the other settings."""
    estimate: Callable[[], MemoryEstimate] | None = None
    """To be set once images and network are in place; called only when it is needed."""

    def describe(self) -> str:
        """Write the estimate in a line, with a warning where it is too much."""
        found, total = self.estimate(), total_memory_mib(self.compute.device)
        needed = found.peak_mib(self._images)
        line = f"memory: about {needed:.0f} MiB of tensors in a step, {total:.0f} MiB in all"
        return line if needed <= total else f"{line}; {self._advice(found, total)}"

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn an allocation that failed into an error that names the settings that would fit.

        Raises:
            TrainingError: In place of an out-of-memory error of torch.
        """
        try:
            yield
            return
        except (RuntimeError, MemoryError) as cause:
            if not _is_out_of_memory(cause):
                raise
        total = total_memory_mib(self.compute.device)
        where = f"{self.compute.device}: out of memory"
        if self.estimate is None:
            raise TrainingError(
                f"{where} before the first step, {total:.0f} MiB are there in all; try fewer "
                "images (--max_images), smaller ones (--image_size) or a smaller network "
                "(--init_channels, --num_cells)"
            )
        found = self.estimate()
        raise TrainingError(
            f"{where}: a step needs about {found.peak_mib(self._images):.0f} MiB of tensors and "
            f"more while it computes, {total:.0f} MiB are there in all; "
            f"{self._advice(found, total)}"
        )

    @property
    def _images(self) -> int:
        """Images in one pass of one process."""
        return self.compute.micro_batch or self.batch_size // self.num_processes

    def _advice(self, found: MemoryEstimate, available_mib: float) -> str:
        """Name the settings that would fit, by the estimate."""
        # Half of the memory is left to what computing takes and to others.
        size = found.largest_fitting(self._images, available_mib / 2)
        if size is None:
            return (
                "try another run with a smaller network (--init_channels, --num_cells) or smaller "
                "images"
            )
        smaller_batch = f"another run with --batch_size {size * self.num_processes}"
        needed = f"about {found.peak_mib(size):.0f} MiB"
        if not self.can_split:
            return f"try {smaller_batch} ({needed})"
        split = (
            f"try --micro_batch {size} ({needed}; BatchNorm then sees {size} images at a time), "
            "which a run that has checkpoints takes with --resume"
        )
        return split if self.compute.micro_batch else f"{split}, or {smaller_batch}"


def _is_out_of_memory(cause: Exception) -> bool:
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(cause)
    )
