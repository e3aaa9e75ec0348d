"""From alphas to a genotype.

Source: DARTS (arXiv:1806.09055), Sec. 2.4, and its code for the order of entries.
"""

import torch

from nas.genotype import Genotype
from nas.operators import NUM_DECODED_EDGES, get_operator
from nas.space import NUM_INPUTS, SearchSpace
from nas.supernet import Alphas


@torch.no_grad()
def decode(alphas: Alphas, space: SearchSpace) -> Genotype:
    """Read the discrete cells off the alphas.

    An edge is as strong as the largest arch_weight among its primitives that pass something on
    (those whose operator is not `is_zero`). Each node keeps its two strongest incoming edges,
    each with that primitive; its entries stand strongest first. Ties go to the lower input, then
    to the lower primitive. Pure: the same alphas give the same genotype, and nothing changes.
    """
    normal, reduce = (weights.tolist() for weights in alphas.weights())
    concat = tuple(range(NUM_INPUTS, NUM_INPUTS + space.num_nodes))
    return Genotype(
        normal=_decode_cell(normal, space.normal, space),
        normal_concat=concat,
        reduce=_decode_cell(reduce, space.reduce, space),
        reduce_concat=concat,
    )


def _decode_cell(
    weights: list[list[float]], on_edges: tuple[tuple[str, ...], ...], space: SearchSpace
) -> tuple[tuple[tuple[str, int], ...], ...]:
    nodes = []
    for target in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
        entries = []
        for edge in space.incoming(target):
            candidates = [
                (-weights[edge][column], space.edges[edge][0], column)
                for column, name in enumerate(space.primitives)
                if name in on_edges[edge] and not get_operator(name).is_zero
            ]
            if candidates:
                entries.append(min(candidates))
        strongest = sorted(entries)[:NUM_DECODED_EDGES]
        nodes.append(tuple((space.primitives[column], source) for _, source, column in strongest))
    return tuple(nodes)
