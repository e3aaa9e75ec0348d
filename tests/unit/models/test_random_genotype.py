"""Random cells are drawn uniformly, from what a decoder could have found."""

from collections import Counter

import pytest

from nas.genotype import Genotype
from nas.models import random_genotype
from nas.operators import resolve
from nas.space import load_space


@pytest.mark.parametrize("name", ["darts+sandglass", "s3", "mixed_edges"])
def test_a_random_cell_is_a_cell_of_the_space(name):
    """Two different inputs a node, primitives of that edge, never a zero."""
    space = load_space(name)
    resolve(space)
    edges = {edge: index for index, edge in enumerate(space.edges)}
    for seed in range(50):
        genotype = random_genotype(space, seed)
        for cell_type in ("normal", "reduce"):
            cell = getattr(genotype, cell_type)
            assert len(cell) == space.num_nodes
            for target, node in enumerate(cell, start=2):
                assert len({source for _, source in node}) == len(node) == 2
                for primitive, source in node:
                    assert primitive in getattr(space, cell_type)[edges[source, target]]
                    assert primitive != "none"


def test_draws_are_uniform():
    """Every pair of inputs of the last node, and every primitive, comes equally often."""
    space = load_space("darts")
    resolve(space)
    inputs, primitives = Counter(), Counter()
    for seed in range(2000):
        genotype = random_genotype(space, seed)
        inputs[tuple(source for _, source in genotype.normal[3])] += 1
        primitives.update(name for node in genotype.reduce for name, _ in node)
    assert len(inputs) == 10 and len(primitives) == 7
    # 2000 draws from 10 pairs: 200 each, standard deviation 13.4; 16,000 from 7: 2286 and 44.
    assert all(abs(count - 200) < 5 * 13.4 for count in inputs.values())
    assert all(abs(count - 2286) < 5 * 44.3 for count in primitives.values())


def test_a_seed_is_a_cell():
    """The same on every machine; the details survive JSON."""
    space = load_space("s2")
    resolve(space)
    first, again, other = (random_genotype(space, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert Genotype.from_json(first.to_json()).search == {"method": "random", "seed": 0}
