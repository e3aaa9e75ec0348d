"""What layers need that have a separate backward pass on a CPU."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

Gradients = TypeVar("Gradients")


def trains_on_cpu(x: Tensor) -> bool:
    """Whether x is a batch of images on a CPU, with gradients, and neither autocast nor compiled.

    Compiled functions lose what an autograd function says of tensors that it changes.
    """
    return (
        x.device.type == "cpu"
        and x.dim() == 4
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def has_hooks(layer: nn.Module) -> bool:
    """Whether calling a layer does more than the forward pass of its class, so it must be called.

    It does if the layer or all modules have hooks, if the layer was compiled by its own `compile`,
    or if a `forward` was set on it.
    """
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
        or layer._compiled_call_impl is not None
        or "forward" in layer.__dict__
        or _has_any_global_hook()
    )


def outside_of_autocast(backward: Callable[..., Gradients]) -> Callable[..., Gradients]:
    """Let a backward pass compute in the types of its tensors, wherever it is called."""

    @wraps(backward)
    def run(ctx: Any, *grads: Tensor) -> Gradients:
        if not torch.is_autocast_enabled("cpu"):
            return backward(ctx, *grads)
        with torch.autocast("cpu", enabled=False):
            return backward(ctx, *grads)

    return run


def gradients_with_graph(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor | None],
    wanted: Sequence[bool],
    grad: Tensor,
) -> list[Tensor | None]:
    """Return the gradients of a function's inputs, themselves differentiable.

    Args:
        function: Of the inputs.
        inputs: None where there is none.
        wanted: For each input, whether its gradient is asked for; the others are None.
        grad: The gradient of the output.
    """
    # Aliases: the gradient has to stop here, where one input may be computed from another.
    aliases = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
    pairs = zip(aliases, wanted, strict=True)
    asked = [alias for alias, is_wanted in pairs if is_wanted and alias is not None]
    found = iter(torch.autograd.grad(function(*aliases), asked, grad, create_graph=True))
    return [next(found) if is_wanted else None for is_wanted in wanted]
