"""Where to compute, and what that took."""

import os
import resource

import torch

from nas.errors import ConfigError


def select_device(name: str) -> torch.device:
    """Return the device: "cpu", "cuda", or "auto", which is a GPU when there is one.

    Raises:
        ConfigError: "cuda" where torch finds none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("--device cuda: torch finds no GPU here; use --device cpu or auto")
    return torch.device("cuda" if name != "cpu" and available else "cpu")


def peak_memory_mib(device: torch.device) -> float:
    """Largest memory in use so far: of the GPU by tensors, else of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def total_memory_mib(device: torch.device) -> float:
    """Memory of the GPU, or of the machine as far as this process may use it."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 2**20
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return (machine if limit == resource.RLIM_INFINITY else min(machine, limit)) / 2**20
