"""A random cell of a space: the baseline that a searched one has to beat.

Source: DARTS (arXiv:1806.09055), Sec. 3.2 and Table 1 ("Random search baseline"); its necessity is
argued in arXiv:1902.07638.
"""

import random

from nas.genotype import Genotype
from nas.operators import NUM_DECODED_EDGES, get_operator, with_details
from nas.space import CELL_TYPES, NUM_INPUTS, SearchSpace


def random_genotype(space: SearchSpace, seed: int) -> Genotype:
    """Draw a cell pair: two incoming edges a node, one primitive an edge, uniformly.

    Like a decoded cell it never has a primitive that passes nothing on, and every node reads two
    different states. The primitives of the space must have been resolved.

    Args:
        space: The space.
        seed: The same seed gives the same genotype on every machine.
    """
    generator = random.Random(seed)
    cells = {}
    for cell_type in CELL_TYPES:
        on_edges = getattr(space, cell_type)
        nodes = []
        for target in range(NUM_INPUTS, NUM_INPUTS + space.num_nodes):
            candidates = []
            for edge in space.incoming(target):
                names = [name for name in on_edges[edge] if not get_operator(name).is_zero]
                if names:
                    candidates.append((space.edges[edge][0], names))
            chosen = sorted(generator.sample(candidates, NUM_DECODED_EDGES))
            nodes.append(tuple((generator.choice(names), source) for source, names in chosen))
        cells[cell_type] = tuple(nodes)
    concat = tuple(range(NUM_INPUTS, NUM_INPUTS + space.num_nodes))
    drawn = Genotype(cells["normal"], concat, cells["reduce"], concat)
    return with_details(drawn, space, {"method": "random", "seed": seed})
