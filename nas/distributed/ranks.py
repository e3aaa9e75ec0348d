"""What the processes of a run exchange.

A loop uses a `Ranks` and never asks how many processes there are: with one process, every method
is the identity. All methods but `say` are collective: every rank must call them in the same order.

The images of a step are divided evenly, so a mean over ranks of means over shares is the mean over
the batch. DDP reduces the gradients of the weights; `Ranks.mean_` reduces gradients that are
computed without it. Only rank 0 writes files (`on_first`).
"""

import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from nas.errors import DistributedError

_log = logging.getLogger(__name__)
Result = TypeVar("Result")
_FAILED = -1


class Ranks:
    """A run of one process."""

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files and messages."""
        return self.rank == 0

    def say(self, message: str) -> None:
        """Log a message, once and not once per rank."""
        if self.is_first:
            _log.warning(message)

    def on_first(self, function: Callable[[], Result]) -> Result | None:
        """Call a function on rank 0 only; the others wait for it and get None.

        Raises:
            DistributedError: On the others, if the function raised.
        """
        return function()

    def first_then_others(self, function: Callable[[], Result]) -> Result:
        """Call a function on rank 0, then on the others; for example one that downloads."""
        result = self.on_first(function)
        return cast(Result, result) if self.is_first else function()

    def bytes_from_first(self, function: Callable[[], bytes]) -> bytes:
        """Call a function on rank 0 only; all ranks return its result."""
        return function()

    def largest(self, *numbers: int) -> tuple[int, ...]:
        """Return the largest of each number over the ranks."""
        return numbers

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type and device by their means over the ranks."""

    def mean_in_graph(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the means over the ranks; gradients flow back to the tensors of all ranks."""
        return tensors

    def sum_(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the ranks."""

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of rank 0."""

    def check_equal(self, tensors: Iterable[Tensor], what: str) -> None:
        """Check that tensors are the same on all ranks, bit for bit.

        Raises:
            DistributedError: They differ.
        """

    def gather(self, state: Any) -> list[Any]:
        """Return the states of all ranks, in plain values and tensors on the CPU."""
        return [state]

    def parallel(self, net: nn.Module, *example: Any, some_unused: bool = False) -> nn.Module:
        """Return a wrapper of a network; its backward pass makes `.grad` the mean over the ranks.

        Args:
            net: The network; its parameters become those of rank 0.
            example: Example inputs, such as two images.
            some_unused: Whether a call may leave parameters out; otherwise the example tells.
        """
        return net


ALONE = Ranks()


class TorchRanks(Ranks):
    """One process of several; torch.distributed has been initialized."""

    def __init__(self, device: torch.device):
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()
        self.device = device

    def on_first(self, function: Callable[[], Result]) -> Result | None:
        """See `Ranks`."""
        results: list[Result] = []

        def call() -> bytes:
            results.append(function())
            return b""

        self.bytes_from_first(call)
        return results[0] if self.is_first else None

    def bytes_from_first(self, function: Callable[[], bytes]) -> bytes:
        """See `Ranks`."""
        content, length = b"", torch.tensor(_FAILED)
        try:
            if self.is_first:
                content = function()
                length = torch.tensor(len(content))
        finally:
            dist.broadcast(length, 0)
        if length == _FAILED:
            raise DistributedError("rank 0 failed; see its error")
        buffer = torch.frombuffer(bytearray(content or bytes(int(length) or 1)), dtype=torch.uint8)
        dist.broadcast(buffer, 0)
        return buffer[: int(length)].numpy().tobytes()

    def largest(self, *numbers: int) -> tuple[int, ...]:
        """See `Ranks`."""
        together = torch.tensor(numbers)  # on the CPU, so no GPU waits for it
        dist.all_reduce(together, dist.ReduceOp.MAX)
        return tuple(together.tolist())

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """See `Ranks`."""
        means = self.mean_in_graph([tensor.detach() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.detach().copy_(mean)

    def mean_in_graph(self, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        """See `Ranks`."""
        together = torch.cat([tensor.flatten() for tensor in tensors])
        together = _SumOverRanks.apply(together) / self.size
        parts = together.split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def sum_(self, tensor: Tensor) -> None:
        """See `Ranks`."""
        dist.all_reduce(tensor)

    def broadcast_(self, tensors: Iterable[Tensor]) -> None:
        """See `Ranks`."""
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)

    def check_equal(self, tensors: Iterable[Tensor], what: str) -> None:
        """See `Ranks`."""
        own = b"".join(tensor.detach().cpu().contiguous().numpy().tobytes() for tensor in tensors)
        first = self.bytes_from_first(lambda: own)
        if self.largest(first != own) != (0,):
            raise DistributedError(
                f"{what} differ between the ranks; start all of them with the same command and "
                "versions, on the same kind of machine"
            )

    def gather(self, state: Any) -> list[Any]:
        """See `Ranks`."""
        states: list[Any] = [None] * self.size
        dist.all_gather_object(states, state)
        return states

    def parallel(self, net: nn.Module, *example: Any, some_unused: bool = False) -> nn.Module:
        """See `Ranks`."""
        unused = some_unused or _has_unused_parameters(net, *example)
        return DistributedDataParallel(net, find_unused_parameters=unused)


class _SumOverRanks(torch.autograd.Function):
    """y_r = sum over ranks s of x_s, so dL/dx_s = sum over ranks r of dL_r/dy_r."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return _SumOverRanks.apply(slope)


def _has_unused_parameters(net: nn.Module, *example: Any) -> bool:
    """Return whether some parameters do not affect the output; runs on the meta device."""
    shadow = copy.deepcopy(net).to("meta").train()
    for module in shadow.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.eval()  # else SyncBatchNorm would communicate with the other ranks
    for parameter in shadow.parameters():
        parameter.grad = None
    inputs = torch.utils._pytree.tree_map_only(Tensor, lambda x: x.detach().to("meta"), example)
    outputs = shadow(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(output.sum() for output in outputs).backward()
    return any(parameter.grad is None for parameter in shadow.parameters())
