"""A genotype that is complete in itself: labels, families, space and search go with the cells."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from nas.genotype import Genotype
from nas.operators.registry import get_operator
from nas.space import SearchSpace


def with_details(
    genotype: Genotype, space: SearchSpace, search: dict[str, Any], plugins: Iterable[str] = ()
) -> Genotype:
    """Return the genotype with what a retrain and a diagram must not guess.

    Args:
        genotype: The cells.
        space: Where they were found.
        search: Plain JSON values: seed, commit, final alphas, ...
        plugins: Those of the command line; the space's own are added.
    """
    return Genotype(
        **genotype.cells(),
        operators={name: get_operator(name).description() for name in genotype.primitives},
        space={
            "name": space.name,
            "family": space.family,
            "num_nodes": space.num_nodes,
            "primitives": list(space.primitives),
            "plugins": list(dict.fromkeys([*plugins, *space.plugins])),
        },
        search=search,
    )


def with_operators(genotype: Genotype) -> Genotype:
    """Return the genotype with the records of its operators, which a diagram needs.

    Records that it already has are kept.
    """
    records = {name: get_operator(name).description() for name in genotype.primitives}
    return dataclasses.replace(genotype, operators={**records, **genotype.operators})
