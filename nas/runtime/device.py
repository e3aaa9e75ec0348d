"""Where to compute, and what that took."""

import os
import resource

import torch

from nas.distributed.launch import read_launch
from nas.errors import ConfigError
from nas.runtime.cgroup import memory_limit


def select_device(name: str) -> torch.device:
    """Return the device: "cpu", "cuda", or "auto", which is a GPU when there is one.

    Under torchrun each process of a machine has a GPU of its own.

    Raises:
        ConfigError: "cuda" where torch finds none, or fewer than there are processes.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("--device cuda: torch finds no GPU here; use --device cpu or auto")
    if name == "cpu" or not available:
        return torch.device("cpu")
    launch = read_launch()
    if launch.size == 1:
        return torch.device("cuda")
    if launch.local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"--device {name}: process {launch.local_rank} of this machine has no GPU, there are "
            f"{torch.cuda.device_count()}; lower --nproc-per-node or use --device cpu"
        )
    torch.cuda.set_device(launch.local_rank)
    return torch.device("cuda", launch.local_rank)


def peak_memory_mib(device: torch.device) -> float:
    """Largest memory in use so far: of the GPU by tensors, else of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def total_memory_mib(device: torch.device) -> float:
    """Memory of the GPU, or of the machine as far as this process and its container may use it."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 2**20
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    if (group := memory_limit()) is not None:
        limits.append(group)
    return min(limits) / 2**20
