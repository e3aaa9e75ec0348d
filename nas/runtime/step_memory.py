"""How much memory a training step needs, and what to do if it is too much."""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_map_only

from nas.errors import TrainingError
from nas.runtime.compute import Compute
from nas.runtime.memory import MIB, total_memory_mib

LONG_RUN_STEPS = 200
"""A run of at least this many steps starts with an estimate of its cost."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that tensors take at the peak of a training step; the whole program needs more."""

    fixed_bytes: int
    """Weights, gradients, optimizer state and buffers."""
    image_bytes: float
    """What one image keeps for the backward pass."""

    def peak_mib(self, num_images: int) -> float:
        """Return the estimate for a forward and backward pass of `num_images` images, MiB."""
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
    net: nn.Module, inputs: tuple[Any, ...], compute: Compute, num_slots: int = 1
) -> MemoryEstimate:
    """Count what a forward pass in training mode keeps for the backward pass.

    For a GPU the pass runs on the meta device, which takes neither time nor memory; in half
    precision the result is halved, which ignores BatchNorm statistics and a few float32 casts. On a
    CPU some layers keep less than torch's own layers, and one of them reads its numbers: there the
    few images of `inputs` are really computed.

    Args:
        net: The network; it is not changed.
        inputs: Arguments of `net`. The first are images, (N, C, H, W), with N at least 2, of which
            only the shape is read.
        compute: The arithmetic.
        num_slots: Numbers that the optimizer keeps per weight; 1 is the momentum.
    """
    images, *others = inputs
    device = torch.device("cpu" if compute.device.type == "cpu" else "meta")
    shadow = copy.deepcopy(net).to(device).train()
    kept: dict[int, int] = {}
    storages = []  # held, so that no identity is used twice

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages.append(storage)
        kept[StorageWeakRef(storage).cdata] = storage.nbytes()
        return tensor

    own = (*shadow.parameters(), *shadow.buffers())
    own_storages = {StorageWeakRef(tensor.untyped_storage()).cdata for tensor in own}
    hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
    # The images and drop path must not draw from the generators of the run.
    with hooks, torch.random.fork_rng(devices=[]), _autocast(compute, device):
        random = torch.randn(images.shape, device=device).to(memory_format=compute.memory_format)
        output = shadow(random, *tree_map_only(Tensor, lambda x: x.detach().to(device), others))
    activations: float = sum(size for key, size in kept.items() if key not in own_storages)
    del output
    if compute.autocast_dtype is not None and device.type == "meta":
        activations /= 2
    parameters = sum(p.numel() * p.element_size() for p in net.parameters())
    buffers = sum(b.numel() * b.element_size() for b in net.buffers())
    return MemoryEstimate(
        fixed_bytes=(2 + num_slots) * parameters + buffers,
        image_bytes=activations / len(images),
    )


def _autocast(compute: Compute, device: torch.device) -> AbstractContextManager[Any]:
    return compute.autocast() if device == compute.device else nullcontext()


@dataclass
class StepMemory:
    """The memory that the steps of a run need in one process."""

    compute: Compute
    batch_size: int
    """Over all processes."""
    num_processes: int = 1
    can_split: bool = True
    """Whether the other settings allow `micro_batch`."""
    smaller: str = "a smaller network (`init_channels`, `num_cells`) or smaller images"
    """What needs less memory, other than a smaller batch."""
    before: str = (
        "fewer images (`max_images`), smaller images (`image_size`) or a smaller network "
        "(`init_channels`, `num_cells`)"
    )
    """What needs less memory before the first step."""
    estimate: Callable[[], MemoryEstimate] | None = None
    """Set once the network is built; called only when needed."""

    def describe(self) -> str:
        """Return the estimate as one line, with a warning if it is too much."""
        assert self.estimate is not None
        needed, total = self.estimate(), total_memory_mib(self.compute.device)
        needed_mib = needed.peak_mib(self._images)
        line = f"memory: about {needed_mib:.0f} MiB of tensors in a step, {total:.0f} MiB in all"
        return line if needed_mib <= total else f"{line}; {self._advice(needed, total)}"

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn a failed allocation into an error that names the settings that would fit.

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
                f"{where} before the first step, {total:.0f} MiB in all; try {self.before}"
            )
        needed = self.estimate()
        raise TrainingError(
            f"{where}: a step needs about {needed.peak_mib(self._images):.0f} MiB of tensors and "
            f"more while it computes, {total:.0f} MiB in all; {self._advice(needed, total)}"
        )

    @property
    def _images(self) -> int:
        """Images in one pass of one process."""
        return self.compute.micro_batch or self.batch_size // self.num_processes

    def _advice(self, needed: MemoryEstimate, available_mib: float) -> str:
        """Name the settings that would fit, by the estimate."""
        # Half of the memory is left for computing and for other programs.
        size = needed.largest_fitting(self._images, available_mib / 2)
        if size is None:
            return f"try another run with {self.smaller}"
        smaller_batch = f"another run with `batch_size` {size * self.num_processes}"
        amount = f"about {needed.peak_mib(size):.0f} MiB"
        if not self.can_split:
            return f"try {smaller_batch} ({amount})"
        split = (
            f"try `micro_batch` {size} ({amount}; BatchNorm then sees {size} images at a time), "
            "which works with `resume` if the run has checkpoints"
        )
        return split if self.compute.micro_batch else f"{split}, or {smaller_batch}"


def _is_out_of_memory(cause: Exception) -> bool:
    return isinstance(cause, torch.OutOfMemoryError | MemoryError) or (
        "can't allocate memory" in str(cause)
    )
