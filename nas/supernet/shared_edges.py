"""A cell evaluated state by state instead of edge by edge: the same sum, less work.

Everything that leaves a state reads the same tensor. So, for each state (and stride), once instead
of once an edge: the operators without weights, and the ReLU that the convolutions start with.
Where an operator ends with a BatchNorm, that BatchNorm multiplies by the architecture weight, which
saves a pass over the tensor and the memory of its input. What an operator allows is declared in
its record; one that declares nothing is evaluated as it is.

The results are those of `Edge.forward`, up to the order of summation.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers import has_hooks, run_layers, runs_in_order
from nas.operators import Operator
from nas.supernet.arch_weights import EdgeRow

Result = TypeVar("Result")


class SharedOperators(nn.Module):
    """The operators without weights that leave a state, one of each.

    They move here from the edges: a module must not be registered in two places, because
    torch.func.functional_call would leave its stand-ins behind in one of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.operators = nn.ModuleList()

    def offer(self, name: str, operator: nn.Module) -> None:
        """Keep the operator if it is the first of its name."""
        if name not in self.names:
            self.names.append(name)
            self.operators.append(operator)

    def __getitem__(self, name: str) -> nn.Module:
        return self.operators[self.names.index(name)]


class SourceState:
    """One state of a cell, with what its outgoing edges share; each is computed once."""

    def __init__(
        self,
        x: Tensor,
        operators: SharedOperators | None = None,
        leaving: Mapping[nn.Module, EdgeRow] | None = None,
    ):
        """Start with nothing computed.

        Args:
            x: (N, C, H, W).
            operators: Those that the edges leave to the state.
            leaving: The mixed edges that may be evaluated together, with their weights.
        """
        self.x = x
        self.operators = operators
        self.leaving = leaving or {}
        self._computed: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], Result]) -> Result:
        """Return what `compute` returns, calling it only the first time that `key` is asked for."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]

    @property
    def relu(self) -> Tensor:
        """max(x, 0)."""
        return self.once("relu", lambda: F.relu(self.x))

    def shares(self, name: str) -> bool:
        """Whether the operator of this name is evaluated here and not on the edges."""
        return self.operators is not None and name in self.operators.names

    def output_of(self, name: str) -> Tensor:
        """Return what a shared operator makes of x."""
        assert self.operators is not None, "ask `shares` first"
        operator = self.operators[name]
        return self.once(("output", name), lambda: operator(self.x))


def add_product(total: Tensor, output: Tensor, weight: Tensor) -> Tensor:
    """Return total + weight * output, computed in place where nothing compiles it."""
    if torch.compiler.is_compiling():  # torch 2.11 does not see that total is changed
        return total + weight * output
    return _AddWeighted.apply(total, output, weight)


class _AddWeighted(torch.autograd.Function):
    """total += weight * output; torch's addcmul_ scales whole tensors by 1 in its gradient."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, output: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(output, weight)
        ctx.mark_dirty(total)
        return total.addcmul_(output, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        output, weight = ctx.saved_tensors
        return (
            grad,
            grad * weight if ctx.needs_input_grad[1] else None,
            (grad * output).sum() if ctx.needs_input_grad[2] else None,
        )


def weighted(record: Operator, operator: nn.Module, state: SourceState, weight: Tensor) -> Tensor:
    """Return weight * operator(x)."""
    if not runs_in_order(operator):
        return weight * operator(state.x)
    layers: list[Any] = list(operator)
    x = state.x
    if record.relu_first and type(layers[0]) is nn.ReLU and not has_hooks(layers[0]):
        x = state.relu
        layers = layers[1:]
    if record.norm_last and _can_weigh(layers[-1]):
        # In separate memory: torch 2.15 on a CPU, channels_last, reads an expanded scale as if it
        # had a number for each channel, and gives a wrong gradient without a word.
        return run_layers(layers, x, scale=weight.expand(layers[-1].num_features).contiguous())
    return weight * run_layers(layers, x)


def _can_weigh(layer: nn.Module) -> bool:
    """Whether a layer is a BatchNorm that has no scale and keeps running statistics."""
    return (
        type(layer) is nn.BatchNorm2d
        and not layer.affine
        and layer.track_running_stats
        and layer.momentum is not None
        and not has_hooks(layer)
    )
