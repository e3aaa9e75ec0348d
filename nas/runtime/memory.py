"""How much memory there is, and how much is in use.

Linux limits memory by control groups, in version 2 (one tree, `memory.max`) or version 1 (one tree
per resource, `memory.limit_in_bytes`). A limit of any group above a process applies to it.
"""

import os
import resource
from pathlib import Path, PurePosixPath

import torch

from nas.errors import DataError

MIB = 2**20
_OWN_GROUPS = Path("/proc/self/cgroup")
_TREES = Path("/sys/fs/cgroup")


def check_fits(num_images: int, channels: int, image_size: int) -> None:
    """Check that decoded images take at most half of the memory.

    Args:
        num_images: N.
        channels: C, one byte each.
        image_size: Height and width, pixels.

    Raises:
        DataError: They take more.
    """
    needed = num_images * channels * image_size**2
    allowed = physical_memory() // 2
    if needed > allowed:
        raise DataError(
            f"{num_images} images of {image_size} x {image_size} take {needed / 2**30:.1f} GiB; "
            f"allowed is half of this machine's memory, {allowed / 2**30:.1f} GiB; "
            "lower image_size or max_images"
        )


def total_memory_mib(device: torch.device) -> float:
    """Return the memory of a GPU, or the memory that this process may use on a CPU, MiB."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / MIB
    return physical_memory() / MIB


def peak_memory_mib(device: torch.device) -> float:
    """Return the largest memory in use so far, MiB: tensors on a GPU, else the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def physical_memory() -> int:
    """Return the memory that this process may use, bytes: the machine's, or a lower limit."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    if (group := group_limit()) is not None:
        limits.append(group)
    return min(limits)


def group_limit(own_groups: Path = _OWN_GROUPS, trees: Path = _TREES) -> int | None:
    """Return the smallest memory limit of the control groups of this process.

    Args:
        own_groups: Lines of `number:resources:/path/of/the/group`.
        trees: Root of the trees of groups.

    Returns:
        Bytes, or None if no limit is set.
    """
    limits = []
    for line in _read(own_groups).splitlines():
        _, resources, group = (*line.split(":", 2), "", "")[:3]
        if resources == "":
            tree, name = trees, "memory.max"
        elif "memory" in resources.split(","):
            tree, name = trees / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = PurePosixPath(group.lstrip("/"))
        # In a container the path may be the host's; the root of the tree is then the group.
        for folder in (own, *own.parents):
            text = _read(tree / folder / name).strip()
            if text.isdecimal():  # version 2 writes "max" if there is no limit
                limits.append(int(text))
    return min(limits, default=None)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
