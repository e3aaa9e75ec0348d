"""A cell evaluated state by state instead of edge by edge: the same sum, less work.

Everything that leaves a state reads the same tensor. So, for each state (and stride), once instead
of once an edge: the operators without weights, and the ReLU that the convolutions start with.
Where an operator ends with a BatchNorm, that BatchNorm multiplies by the architecture weight, which
saves a pass over the tensor and the memory of its input. What an operator allows is declared in
its record; one that declares nothing is evaluated as it is.

The results are those of `MixedEdge.forward`, up to the order of summation.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.layers import ConvSequence, run_layers
from nas.operators import Operator
from nas.supernet.mixed import MixedEdge


class SourceState:
    """One state of a cell, with what its outgoing edges share."""

    def __init__(self, x: Tensor, operators: "SharedOperators"):
        self.x = x
        self._operators = operators
        self._relu: Tensor | None = None
        self._outputs: dict[str, Tensor] = {}

    @property
    def relu(self) -> Tensor:
        """max(x, 0)."""
        if self._relu is None:
            self._relu = F.relu(self.x)
        return self._relu

    def shares(self, name: str) -> bool:
        """Whether the operator of this name is evaluated here and not on the edges."""
        return name in self._operators.names

    def output_of(self, name: str) -> Tensor:
        """Return what a shared operator makes of x, computed once."""
        if name not in self._outputs:
            self._outputs[name] = self._operators[name](self.x)
        return self._outputs[name]


class SharedOperators(nn.Module):
    """The operators without weights that a state needs, one of each.

    They move here from the edges: a module must not be registered in two places, because
    torch.func.functional_call would leave its stand-ins behind in one of them.
    """

    def __init__(self, edges: list[MixedEdge]):
        """Take the operators out of the edges that leave the state, all of one stride."""
        super().__init__()
        self.names: list[str] = []
        self.operators = nn.ModuleList()
        for edge in edges:
            for index, (record, operator) in enumerate(
                zip(edge.records, edge.operators, strict=True)
            ):
                if record.parameter_free and next(operator.parameters(), None) is None:
                    if record.name not in self.names:
                        self.names.append(record.name)
                        self.operators.append(operator)
                    edge.operators[index] = nn.Identity()  # holds the place, is never called

    def __getitem__(self, name: str) -> nn.Module:
        return self.operators[self.names.index(name)]


def add_edge(
    total: Tensor | None, edge: MixedEdge, state: SourceState, weights: tuple[Tensor, ...]
) -> Tensor | None:
    """Add what an edge passes on to the sum of a node.

    Args:
        total: The sum so far, (N, C, H, W), which is changed in place; None at the start.
        edge: The edge.
        state: Where it starts.
        weights: P scalars, the arch_weights of the edge.

    Returns:
        total + sum over primitives p of weights[p] * op_p(x); None where nothing is passed on.
    """
    for column, record, operator in zip(edge.columns, edge.records, edge.operators, strict=True):
        weight = weights[column]
        if record.is_zero:
            continue  # weight * 0: neither the sum nor a gradient changes
        if state.shares(record.name):
            output = state.output_of(record.name)
            total = output * weight if total is None else _AddWeighted.apply(total, output, weight)
        else:
            output = _weighted(record, operator, state, weight)
            total = output if total is None else total.add_(output)
    return total


def concatenate(nodes: list[Tensor]) -> Tensor:
    """Return (N, C, H, W) a node as (N, num_nodes * C, H, W)."""
    return _Concatenate.apply(*nodes)


class _Concatenate(torch.autograd.Function):
    """torch.cat over the channels, whose gradients are views with gaps between the pixels.

    All operators on a node's edges read its gradient; here it is a tensor of its own.
    """

    @staticmethod
    def forward(ctx: Any, *nodes: Tensor) -> Tensor:
        ctx.num_nodes = len(nodes)
        return torch.cat(nodes, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        is_channels_last = grad.is_contiguous(memory_format=torch.channels_last)
        memory_format = torch.channels_last if is_channels_last else torch.contiguous_format
        return tuple(
            part.clone(memory_format=memory_format) for part in grad.chunk(ctx.num_nodes, dim=1)
        )


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


def _weighted(record: Operator, operator: nn.Module, state: SourceState, weight: Tensor) -> Tensor:
    """Return weight * operator(x)."""
    if getattr(type(operator), "forward", None) not in (
        nn.Sequential.forward,
        ConvSequence.forward,
    ):
        return weight * operator(state.x)  # not its layers one after the other
    layers = list(operator)
    x = state.x
    if record.relu_first and type(layers[0]) is nn.ReLU:
        x = state.relu
        layers = layers[1:]
    if record.norm_last and _can_weigh(layers[-1]):
        # In memory of its own: torch 2.15 on a CPU, channels_last, reads an expanded scale as if it
        # had a number for each channel, and gives a wrong gradient without a word.
        return run_layers(layers, x, scale=weight.expand(layers[-1].num_features).contiguous())
    return weight * run_layers(layers, x)


def _can_weigh(layer: nn.Module) -> bool:
    """Whether a layer is a BatchNorm that has no scale of its own and keeps running statistics."""
    return (
        type(layer) is nn.BatchNorm2d
        and not layer.affine
        and layer.track_running_stats
        and layer.momentum is not None
    )
