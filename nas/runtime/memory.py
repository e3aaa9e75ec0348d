"""How much memory a training step will take, found without taking it."""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from nas.runtime.compute import Compute

MIB = 2**20


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that tensors take at the height of a training step; a program needs more."""

    fixed_bytes: int
    """Weights, their gradients, what else is kept for a weight, and buffers."""
    image_bytes: float
    """What one image leaves behind for the backward pass."""

    def peak_mib(self, num_images: int) -> float:
        """Return the estimate for a forward and backward pass of so many images, MiB."""
        return (self.fixed_bytes + self.image_bytes * num_images) / MIB

    def largest_fitting(self, batch_size: int, available_mib: float) -> int | None:
        """Return the largest proper divisor of the batch that fits as a micro-batch, or None."""
        fitting = (
            size
            for size in range(batch_size // 2, 1, -1)
            if batch_size % size == 0 and self.peak_mib(size) <= available_mib
        )
        return next(fitting, None)


def estimate_memory(
    net: nn.Module, inputs: tuple, compute: Compute, num_slots: int = 1
) -> MemoryEstimate:
    """Count what a forward pass in training mode keeps for the backward pass.

    For a GPU the pass runs on shapes alone (the meta device), so it takes neither the time nor the
    memory; in half precision what is kept is then counted at half its size: BatchNorm statistics
    and a few float32 casts are more than that. On a CPU some layers keep less than torch's own, and
    one of them looks at its numbers: there the few images of `inputs` really pass.

    Args:
        net: Left as it is.
        inputs: Arguments of `net`; the first are images, (N, C, H, W), with N at least 2, of which
            only the shape is read.
        compute: The arithmetic.
        num_slots: Numbers kept for a weight besides itself and its gradient: 1 is the momentum.
    """
    images, *others = inputs
    device = torch.device("cpu" if compute.device.type == "cpu" else "meta")
    shadow = copy.deepcopy(net).to(device).train()
    kept: dict[int, int] = {}
    storages = []  # held, so that no identity is given twice

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages.append(storage)
        kept[StorageWeakRef(storage).cdata] = storage.nbytes()
        return tensor

    own = (*shadow.parameters(), *shadow.buffers())
    own_storages = {StorageWeakRef(tensor.untyped_storage()).cdata for tensor in own}
    hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
    # Neither the images nor drop path must draw from the run.
    with hooks, torch.random.fork_rng(devices=[]), _autocast(compute, device):
        drawn = torch.randn(images.shape, device=device).to(memory_format=compute.memory_format)
        output = shadow(drawn, *_moved(others, device))
    activations = sum(size for key, size in kept.items() if key not in own_storages)
    del output
    if compute.autocast_dtype is not None and device.type == "meta":
        activations /= 2
    parameters = sum(p.numel() * p.element_size() for p in net.parameters())
    buffers = sum(b.numel() * b.element_size() for b in net.buffers())
    return MemoryEstimate(
        fixed_bytes=(2 + num_slots) * parameters + buffers,
        image_bytes=activations / len(images),
    )


def _autocast(compute: Compute, device: torch.device) -> AbstractContextManager:
    return compute.autocast() if device == compute.device else nullcontext()


def _moved(value, device: torch.device):
    if isinstance(value, Tensor):
        return value.detach().to(device)
    if isinstance(value, tuple | list):
        return type(value)(_moved(item, device) for item in value)
    return value
