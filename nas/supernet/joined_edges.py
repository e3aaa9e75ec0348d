"""Edges that leave a state, evaluated side by side where each of them is narrow.

The convolutions of a search with partial channels have a few channels only: their time goes into
calls, not into arithmetic. An operator that several edges out of a state have is there evaluated
once, on the channels of all of these edges (`nas.layers.joined`).
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from nas.layers import (
    ConvSequence,
    DepthwiseConv2d,
    can_join,
    run_joined,
    runs_in_order,
    split,
    trains_on_cpu,
)
from nas.operators import Operator
from nas.supernet.shared_edges import SourceState

_MAX_CHANNELS = 8
"""Wider operators fill the vectors of a CPU by themselves, and larger tensors leave its cache."""


class Candidate(NamedTuple):
    """An operator that an edge runs and no other edge shares."""

    column: int
    """Of the weights."""
    record: Operator
    operator: nn.Module
    weight: Tensor
    """Its weight, a scalar."""


class Joined(NamedTuple):
    """What an edge need not evaluate any more."""

    columns: set[int]
    """The operators."""
    outputs: list[Tensor]
    """Parts of their weighted sum, (N, C, H, W); no gradient reads them."""


def join_edges(
    state: SourceState, edges: Mapping[Hashable, Sequence[Candidate]]
) -> dict[Hashable, Joined]:
    """Evaluate side by side what pays, on a CPU and with gradients.

    Args:
        state: Where the edges start.
        edges: Their operators.

    Returns:
        By edge; empty where nothing was evaluated.
    """
    x = state.x
    if not trains_on_cpu(x) or x.shape[1] > _MAX_CHANNELS:
        return {}
    users: dict[str, dict[Hashable, Candidate]] = {}
    for edge, candidates in edges.items():
        for candidate in candidates:
            if _can_join(candidate):
                users.setdefault(candidate.record.name, {})[edge] = candidate
    totals: dict[tuple[Hashable, ...], Tensor] = {}
    joined = {edge: Joined(set(), []) for edge in edges}
    for by_edge in users.values():
        if len(by_edge) > 1:
            names, output = tuple(by_edge), _side_by_side(state, list(by_edge.values()))
            totals[names] = totals[names].add_(output) if names in totals else output
            for edge, candidate in by_edge.items():
                joined[edge].columns.add(candidate.column)
    for names, total in totals.items():
        parts = split(total, [x.shape[1]] * len(names))
        for edge, part in zip(names, parts, strict=True):
            joined[edge].outputs.append(part)
    return joined


def _can_join(candidate: Candidate) -> bool:
    _, record, operator, _ = candidate
    return (
        record.relu_first
        and record.norm_last
        and isinstance(operator, ConvSequence)
        and runs_in_order(operator)
        and type(operator[0]) is nn.ReLU
        and isinstance(operator[1], DepthwiseConv2d)
        and can_join(list(operator))
    )


def _side_by_side(state: SourceState, candidates: Sequence[Candidate]) -> Tensor:
    """Return the weighted outputs of one operator on several edges, (N, E * C, H', W')."""
    count, channels = len(candidates), state.x.shape[1]
    weights = torch.stack([candidate.weight for candidate in candidates])
    scale = weights[:, None].expand(count, channels).flatten()
    operators = [cast(ConvSequence, candidate.operator) for candidate in candidates]
    return run_joined([list(operator)[1:] for operator in operators], state.relu, scale)
