"""Which device to compute on, and how numbers get there."""

from collections.abc import Mapping

import torch
from torch import Tensor

from nas.distributed.launch import read_launch
from nas.errors import ConfigError


def select_device(name: str) -> torch.device:
    """Return the device: "cpu", "cuda", or "auto", which is a GPU when there is one.

    Under torchrun each process of a machine uses its own GPU.

    Raises:
        ConfigError: The device is "cuda" and there is no GPU, or fewer GPUs than processes.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError("device: found cuda, but torch finds no GPU here; use cpu or auto")
    if name == "cpu" or not available:
        return torch.device("cpu")
    launch = read_launch()
    if launch.size == 1:
        return torch.device("cuda")
    if launch.local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"device: found {name}, but process {launch.local_rank} of this machine has no GPU, "
            f"there are {torch.cuda.device_count()}; start fewer processes or use cpu"
        )
    torch.cuda.set_device(launch.local_rank)
    return torch.device("cuda", launch.local_rank)


GPUS: tuple[str, ...] = ("cuda",)
"""Types of devices that copy from pinned memory while the host goes on."""


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device; from the host to a GPU through pinned memory, without waiting.

    An ordinary copy waits until the GPU has done all that it was given before.
    """
    if device.type not in GPUS or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def all_to_host(tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors of one type, of any shapes, to the CPU without their graphs.

    They go in one transfer, because each would wait for a GPU.
    """
    numbers = torch.cat([table.detach().flatten() for table in tables.values()]).cpu()
    parts = numbers.split([table.numel() for table in tables.values()])
    return {
        name: part.view(table.shape)
        for (name, table), part in zip(tables.items(), parts, strict=True)
    }
