"""A random cell of a space: the baseline that a searched one has to beat.

Source: DARTS (arXiv:1806.09055), Sec. 3.2 and Table 1 ("Random search baseline"); its necessity is
argued in arXiv:1902.07638.
"""

import random

from nas.genotype import Genotype
from nas.operators import NUM_DECODED_EDGES, get_operator, with_details
from nas.space import SearchSpace


def random_genotype(space: SearchSpace, seed: int) -> Genotype:
    """Draw cells as the family of the space would decode them, uniformly.

    The primitives of the space must have been resolved.

    Args:
        space: The space.
        seed: The same seed gives the same genotype on every machine.
    """
    drawn = space.kind.load("random")(space, seed)
    return with_details(drawn, space, {"method": "random", "seed": seed})


def random_cells(space: SearchSpace, seed: int) -> Genotype:
    """Draw cells of the DARTS family: two incoming edges a node, one primitive an edge.

    Like a decoded cell it never has a primitive that passes nothing on, and every node reads two
    different states. The arguments are those of `random_genotype`.
    """
    generator = random.Random(seed)
    cells = {}
    for cell_type, on_edges in space.groups.items():
        nodes = []
        for target in space.nodes:
            candidates = []
            for edge in space.incoming(target):
                names = [name for name in on_edges[edge] if not get_operator(name).is_zero]
                if names:
                    candidates.append((space.edges[edge][0], names))
            chosen = sorted(generator.sample(candidates, NUM_DECODED_EDGES))
            nodes.append(tuple((generator.choice(names), source) for source, names in chosen))
        cells[cell_type] = tuple(nodes)
    concat = tuple(space.nodes)
    return Genotype(cells["normal"], concat, cells["reduce"], concat)


def random_edges(space: SearchSpace, seed: int) -> Genotype:
    """Draw a cell with one primitive on every edge, `none` included.

    The arguments are those of `random_genotype`.

    Source: NAS-Bench-201 (arXiv:2001.00326), Sec. 2.1: each of the 15,625 cells is equally likely.
    """
    generator = random.Random(seed)
    nodes = tuple(
        tuple(
            (generator.choice(space.normal[edge]), space.edges[edge][0])
            for edge in space.incoming(target)
        )
        for target in space.nodes
    )
    return Genotype(nodes, family=space.family)
