"""What a training step needs of memory, before the run; and what to do when it was too much."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from nas.errors import TrainingError
from nas.runtime.compute import Compute
from nas.runtime.device import total_memory_mib
from nas.runtime.memory import MemoryEstimate

LONG_RUN_STEPS = 200
"""A run of so many steps begins with an estimate of what it takes."""


def describe_memory(estimate: MemoryEstimate, batch_size: int, compute: Compute) -> str:
    """Write the estimate for a run's steps in a line, with a warning where it is too much."""
    needed, total = _needed(estimate, batch_size, compute), total_memory_mib(compute.device)
    line = f"memory: about {needed:.0f} MiB of tensors in a step, {total:.0f} MiB in all"
    return line if needed <= total else f"{line}; {_advice(estimate, batch_size, compute, total)}"


@contextmanager
def explained_out_of_memory(
    estimate: Callable[[], MemoryEstimate], batch_size: int, compute: Compute
) -> Iterator[None]:
    """Turn an allocation that failed into an error that names the settings that would fit.

    Args:
        estimate: Called only when memory has run out.
        batch_size: Of the run.
        compute: The arithmetic of the run.

    Raises:
        TrainingError: In place of an out-of-memory error of torch.
    """
    try:
        yield
        return
    except (RuntimeError, MemoryError) as cause:
        if not _is_out_of_memory(cause):
            raise
        where = f"{compute.device}: out of memory"
    found = estimate()
    total = total_memory_mib(compute.device)
    needed = _needed(found, batch_size, compute)
    raise TrainingError(
        f"{where}: a step needs about {needed:.0f} MiB of tensors and more while it computes, "
        f"{total:.0f} MiB are there in all; {_advice(found, batch_size, compute, total)}; "
        "checkpoints so far are kept"
    )


def _needed(estimate: MemoryEstimate, batch_size: int, compute: Compute) -> float:
    return estimate.peak_mib(compute.micro_batch or batch_size)


def _advice(
    estimate: MemoryEstimate, batch_size: int, compute: Compute, available_mib: float
) -> str:
    """Name the settings that would fit, by the estimate."""
    current = compute.micro_batch or batch_size
    # Half of the memory is left to what computing takes and to others.
    size = estimate.largest_fitting(current, available_mib / 2)
    if size is None:
        return "try a smaller network (--init_channels, --num_cells) or smaller images"
    return (
        f"try --micro_batch {size} (about {estimate.peak_mib(size):.0f} MiB; BatchNorm then sees "
        f"{size} images at a time) or --batch_size {size}"
    )


def _is_out_of_memory(cause: Exception) -> bool:
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(cause)
    )
