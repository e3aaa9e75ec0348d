"""Mutations and crossings of networks of a chain."""

import random
from collections import Counter

import pytest

from nas.genotype.offspring import crossed, mutated
from nas.genotype.random_chains import RandomChains
from tests.unit.genotype.test_random_chains import TINY, networks

EVERYTHING = networks(TINY)


def test_a_certain_mutation_is_a_uniform_draw_of_depths_and_candidates():
    """With probability 1: each depth, then each candidate of its layers, is equally likely."""
    generator, num = random.Random(0), 8000
    start = EVERYTHING[-1]
    counts = Counter(mutated(TINY, start, 1.0, generator) for _ in range(num))
    statistic = 0.0
    for network in EVERYTHING:
        chance = 1.0
        for number, names in enumerate(network):
            chance /= len(TINY.stages[number].depths)
            for layer in TINY.layers_of(number)[: len(names)]:
                chance /= len(layer.blocks)
        statistic += (counts[network] - num * chance) ** 2 / (num * chance)
    free = len(EVERYTHING) - 1
    assert set(counts) <= set(EVERYTHING) and statistic < free + 5 * (2 * free) ** 0.5


def test_a_choice_is_drawn_again_with_the_probability():
    """A choice of n stays in (1 - p) + p / n of the mutations."""
    generator, p, num = random.Random(1), 0.3, 4000
    start = EVERYTHING[-1]
    children = [mutated(TINY, start, p, generator) for _ in range(num)]
    deep = [child[0][1] for child in children if len(child[0]) > 1]
    for stays, n in (
        ([len(child[0]) == len(start[0]) for child in children], len(TINY.stages[0].depths)),
        ([name == start[0][1] for name in deep], len(TINY.layers[1].blocks)),
    ):
        expected = 1 - p + p / n
        error = (expected * (1 - expected) / len(stays)) ** 0.5
        assert n > 1 and abs(sum(stays) / len(stays) - expected) < 5 * error


@pytest.mark.parametrize("seed", range(3))
def test_a_crossing_has_the_choices_of_its_parents(seed):
    """The depths of each stage, and each layer from a parent that has it; all of them occur."""
    generator = random.Random(seed)
    one, other = (RandomChains(TINY).draw(generator) for _ in range(2))
    possible = {
        network
        for network in EVERYTHING
        if all(
            len(names) in (len(a), len(b))
            and all(
                name in {names[index] for names in (a, b) if len(names) > index}
                for index, name in enumerate(names)
            )
            for names, a, b in zip(network, one, other, strict=True)
        )
    }
    children = Counter(crossed(one, other, generator) for _ in range(40 * len(possible)))
    assert set(children) == possible
