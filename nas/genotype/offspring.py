"""Networks of a chain made from others, for an evolutionary search (no torch).

A network is given as the candidates of each stage's layers. What is made is of the space; whether
it meets a budget is another question.

Source: SPOS (arXiv:1904.00420), Sec. 3.4, and its code.
Deviation: there every layer exists. Here depth is one more choice of a stage, and a layer that one
parent lacks comes from the other.
"""

import random
from collections.abc import Sequence

from nas.space import ChainSpace

Stages = tuple[tuple[str, ...], ...]
"""The candidates of each stage's layers."""


def mutated(
    space: ChainSpace,
    stages: Sequence[Sequence[str]],
    probability: float,
    generator: random.Random,
) -> Stages:
    """Return a network in which each choice was drawn again with a probability, uniformly.

    The choices are the depth of each stage and the candidate of each layer; what is drawn may be
    what was there. Layers that a larger depth adds are drawn.
    """
    result = []
    for number, (names, stage) in enumerate(zip(stages, space.stages, strict=True)):
        depth = len(names)
        if generator.random() < probability:
            depth = generator.choice(stage.depths)
        result.append(
            tuple(
                generator.choice(list(layer.blocks))
                if layer.index >= len(names) or generator.random() < probability
                else names[layer.index]
                for layer in space.layers_of(number)[:depth]
            )
        )
    return tuple(result)


def crossed(
    one: Sequence[Sequence[str]], other: Sequence[Sequence[str]], generator: random.Random
) -> Stages:
    """Return a network of which each choice is that of one of two parents, with equal chances."""
    result = []
    for pair in zip(one, other, strict=True):
        depth = len(generator.choice(pair))
        result.append(
            tuple(
                generator.choice([names for names in pair if len(names) > index])[index]
                for index in range(depth)
            )
        )
    return tuple(result)
