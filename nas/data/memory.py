"""A guard against data sets that would fill the memory."""

import os

from nas.errors import DataError
from nas.runtime.cgroup import memory_limit


def check_fits(num_images: int, channels: int, image_size: int) -> None:
    """Check that decoded images take no more than half of the physical memory.

    Args:
        num_images: N.
        channels: C, one byte each.
        image_size: Height and width, pixels.

    Raises:
        DataError: They would take more.
    """
    needed = num_images * channels * image_size**2
    allowed = physical_memory() // 2
    if needed > allowed:
        raise DataError(
            f"{num_images} images of {image_size} x {image_size} take {needed / 2**30:.1f} GiB; "
            f"allowed is half of this machine's memory, {allowed / 2**30:.1f} GiB; "
            "lower --image_size or --max_images"
        )


def physical_memory() -> int:
    """Return the machine's memory in bytes, or what a container leaves of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = memory_limit()
    return machine if limit is None else min(machine, limit)
