"""From architecture weights to a genotype.

Source: DARTS (arXiv:1806.09055), Sec. 2.4, and its code for the order of entries.

Shape legend: E edges, P primitives.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from nas.genotype import Chain, Genotype
from nas.operators import NUM_DECODED_EDGES, get_operator
from nas.runtime.device import all_to_host
from nas.space import ChainSpace, SearchSpace
from nas.space.chain import DEPTHS, LAYERS
from nas.supernet import Alphas

Candidate = tuple[float, int, int]
"""(-strength, source, column): sorts strongest first, then by input, then by primitive."""


def decode(alphas: Alphas, space: SearchSpace) -> Genotype:
    """Read the discrete cells off the alphas by the rule of the space; see `decode_cells`."""
    rule = space.kind.load("decode")
    return rule(dict(zip(alphas.groups, alphas.weights(), strict=True)), space)


@torch.no_grad()
def decode_cells(strengths: Mapping[str, Tensor], space: SearchSpace) -> Genotype:
    """Read the discrete cells off the strengths of operators.

    An edge is as strong as the strongest of its primitives that pass something on (those whose
    operator is not `is_zero`). Each node keeps its two strongest incoming edges, each with that
    primitive; its entries are sorted strongest first. Ties go to the lower input, then to the
    lower primitive. Pure: the same strengths give the same genotype, and nothing changes.

    Args:
        strengths: For "normal" and "reduce" the strength of each primitive on each edge, (E, P).
        space: The search space.
    """

    def keep(node: list[list[Candidate]]) -> list[Candidate]:
        return sorted(min(edge) for edge in node if edge)[:NUM_DECODED_EDGES]

    return _decode(strengths, space, keep)


@torch.no_grad()
def decode_edges(strengths: Mapping[str, Tensor], space: SearchSpace) -> Genotype:
    """Read a cell in which every edge has its strongest operator, `none` included.

    Ties go to the lower primitive. The arguments are those of `decode_cells`.

    Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2.1 and its code.
    """
    cells: dict[str, Any] = {
        group: tuple(
            tuple((names[edge], space.edges[edge][0]) for edge in space.incoming(target))
            for target in space.nodes
        )
        for group, names in _strongest(strengths, space).items()
    }
    return Genotype(**cells, family=space.family)


@torch.no_grad()
def decode_chain(strengths: Mapping[str, Tensor], space: ChainSpace) -> Chain:
    """Read a network of a chain: of every layer the strongest candidate, of every stage the depth.

    Ties go to the lower column. Layers beyond the depth of their stage are left out.

    Args:
        strengths: For "layers" and "depths" the strength of each column in each row.
        space: The space, at its width multiplier.
    """
    rows = {group: iter(names) for group, names in _strongest(strengths, space).items()}
    stages = []
    for number, depth in enumerate(rows[DEPTHS]):
        names = [next(rows[LAYERS]) for _ in space.layers_of(number)]
        stages.append(tuple(names[: int(depth)]))
    return Chain(space, tuple(stages))


def _strongest(
    strengths: Mapping[str, Tensor], space: SearchSpace | ChainSpace
) -> dict[str, list[str]]:
    """Return, by group, the column of the largest entry of each row that the space has."""
    strongest = {}
    for group, table in all_to_host(strengths).items():
        possible = table.masked_fill(~torch.tensor(space.mask(group)), -torch.inf).tolist()
        columns = space.columns(group)
        strongest[group] = [columns[max(range(len(r)), key=r.__getitem__)] for r in possible]
    return strongest


@torch.no_grad()
def decode_pairs(strengths: Mapping[str, Tensor], space: SearchSpace) -> Genotype:
    """Read cells off the strengths as GDAS does; the arguments are those of `decode_cells`.

    Each node keeps the two strongest of all (primitive, input) pairs, so both may read the same
    input.
    """

    def keep(node: list[list[Candidate]]) -> list[Candidate]:
        return sorted(candidate for edge in node for candidate in edge)[:NUM_DECODED_EDGES]

    return _decode(strengths, space, keep)


def _decode(
    strengths: Mapping[str, Tensor],
    space: SearchSpace,
    keep: Callable[[list[list[Candidate]]], list[Candidate]],
) -> Genotype:
    concat = tuple(space.nodes)
    tables = all_to_host(strengths)
    cells = {
        group: tuple(
            tuple((space.primitives[column], source) for _, source, column in keep(node))
            for node in candidates(tables[group].tolist(), on_edges, space)
        )
        for group, on_edges in space.groups.items()
    }
    return Genotype(
        normal=cells["normal"],
        normal_concat=concat,
        reduce=cells["reduce"],
        reduce_concat=concat,
    )


def candidates(
    weights: list[list[float]], on_edges: tuple[tuple[str, ...], ...], space: SearchSpace
) -> Iterator[list[list[Candidate]]]:
    """Yield, for each node, the candidates of each of its incoming edges."""
    for target in space.nodes:
        yield [
            [
                (-weights[edge][column], space.edges[edge][0], column)
                for column, name in enumerate(space.primitives)
                if name in on_edges[edge] and not get_operator(name).is_zero
            ]
            for edge in space.incoming(target)
        ]
