"""What an epoch of a search says about the architecture."""

from functools import lru_cache
from typing import Any

import torch

from nas.genotype import Genotype
from nas.models import GenotypeNetwork
from nas.operators import get_operator
from nas.runtime.complexity import count_madds, count_parameters
from nas.search.decode import decode
from nas.space import CELL_TYPES, SearchSpace
from nas.supernet import Alphas

EVALUATION_CHANNELS = 36
EVALUATION_CELLS = 20
"""The size of the network that parameters and multiply-adds are given for (DARTS, Sec. 3.1)."""


def describe_epoch(
    alphas: Alphas, space: SearchSpace, image_shape: tuple[int, int, int], num_classes: int
) -> dict[str, Any]:
    """Return the architecture part of a line of metrics.jsonl.

    Args:
        alphas: As they stand.
        space: Their search space.
        image_shape: (C, H, W) of the data set.
        num_classes: Of the data set.

    Returns:
        Raw alphas (None where the space has no pair), mean entropy in nats, skips, genotype, and
        the parameters and multiply-adds of its evaluation network with 36 channels and 20 cells,
        without the auxiliary head.
    """
    genotype = decode(alphas, space)
    entropy = dict(zip(CELL_TYPES, alphas.entropy(), strict=True))
    num_parameters, madds = _evaluation_cost(genotype, image_shape, num_classes)
    return {
        "alphas": alphas.logits(),
        "entropy": entropy,
        "num_skips": {cell_type: count_skips(genotype, cell_type) for cell_type in CELL_TYPES},
        "genotype": {
            key: getattr(genotype, key)
            for cell_type in CELL_TYPES
            for key in (cell_type, f"{cell_type}_concat")
        },
        "num_parameters": num_parameters,
        "madds": madds,
    }


def count_skips(genotype: Genotype, cell_type: str) -> int:
    """Count the entries of a cell whose operator is an identity at stride 1."""
    return sum(
        get_operator(name).is_identity for node in getattr(genotype, cell_type) for name, _ in node
    )


@lru_cache(maxsize=8)  # a genotype often stays for many epochs
def _evaluation_cost(
    genotype: Genotype, image_shape: tuple[int, int, int], num_classes: int
) -> tuple[int, int]:
    with torch.device("meta"):
        network = GenotypeNetwork(
            genotype,
            in_channels=image_shape[0],
            num_classes=num_classes,
            init_channels=EVALUATION_CHANNELS,
            num_cells=EVALUATION_CELLS,
            auxiliary=False,
        )
    return count_parameters(network), count_madds(network, image_shape)
