"""The network of a retrain: its genotype found and checked, built, described, built anew."""

import re
from typing import Any

import torch
from torch import nn

from nas.config import AugmentConfig
from nas.data import DatasetInfo
from nas.errors import CheckpointError, ConfigError, GenotypeError
from nas.genotype import Genotype, load_genotype
from nas.models import GenotypeNetwork
from nas.operators import resolve, resolve_genotype
from nas.search import random_genotype
from nas.space import load_space

_RANDOM = "random:"
_SIZES = {"cifar": (36, 20), "imagenet": (48, 14)}
"""init_channels and num_cells of DARTS (arXiv:1806.09055), Sec. 3.1 and 3.3."""


def choose_genotype(config: AugmentConfig) -> Genotype:
    """Find the genotype that --genotype names and check that it can be built.

    Raises:
        ConfigError: There is none, or --space contradicts it.
        GenotypeError: It cannot be read or built.
        OperatorError: A plug-in fails.
    """
    if config.genotype is None:
        raise ConfigError(
            "--genotype: found none; give a published name such as DARTS_V2, a genotype.json, "
            "the run directory of a search, or random:SEED"
        )
    if config.genotype.startswith(_RANDOM):
        return _draw(config)
    genotype = load_genotype(config.genotype)
    if config.space is not None:
        _check_space(genotype, config.space)
    resolve_genotype(genotype, config.plugins)
    return genotype


def _check_space(genotype: Genotype, text: str) -> None:
    """Raise ConfigError if a genotype cannot be from the space that --space names."""
    space = load_space(text)
    named = genotype.space.get("name", space.name)
    foreign = [name for name in genotype.primitives if name not in space.primitives]
    if named != space.name:
        reason = f"was found in {named!r}"
    elif len(genotype.normal) != space.num_nodes:
        reason = f"has {len(genotype.normal)} nodes, the space {space.num_nodes}"
    elif foreign:
        reason = f"uses {', '.join(foreign)}, which the space does not have"
    else:
        return
    raise ConfigError(f"--space {text}: the genotype {reason}; leave --space out")


def _draw(config: AugmentConfig) -> Genotype:
    seed = config.genotype.removeprefix(_RANDOM)
    if not re.fullmatch(r"\d{1,9}", seed):
        raise GenotypeError(
            f"--genotype {config.genotype}: expected random:SEED with a whole number such as "
            "random:0"
        )
    space = load_space(config.space or "darts")
    resolve(space, config.plugins)
    return random_genotype(space, int(seed))


def describe_model(genotype: Genotype, config: AugmentConfig, info: DatasetInfo) -> dict[str, Any]:
    """Return all that must be known to build the network, in plain values for a checkpoint."""
    init_channels, num_cells = _SIZES[config.stem]
    return {
        "genotype": genotype.to_json(),
        "in_channels": info.channels,
        "num_classes": info.num_classes,
        "init_channels": config.init_channels or init_channels,
        "num_cells": config.num_cells or num_cells,
        "auxiliary": config.auxiliary_weight > 0,
        "stem": config.stem,
    }


def build_model(description: dict[str, Any]) -> GenotypeNetwork:
    """Build the network of a description.

    Raises:
        CheckpointError: The description is incomplete.
        GenotypeError: Its genotype cannot be read or built.
    """
    try:
        settings = dict(description)
        genotype = Genotype.from_json(settings.pop("genotype"), "genotype of the checkpoint")
        return GenotypeNetwork(genotype, **settings)
    except (KeyError, TypeError) as cause:
        raise CheckpointError(
            "the checkpoint does not say which network it is of; give one that augment.py wrote"
        ) from cause


def load_weights(net: nn.Module, weights: dict[str, torch.Tensor], where: str) -> None:
    """Load weights that must fit exactly.

    Raises:
        CheckpointError: They are of another architecture; the message names keys.
    """
    own = net.state_dict()
    wrong = {
        "missing": sorted(own.keys() - weights.keys()),
        "unexpected": sorted(weights.keys() - own.keys()),
        "of another shape": sorted(
            key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape
        ),
    }
    found = "; ".join(
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in wrong.items()
        if keys
    )
    if found:
        raise CheckpointError(f"{where}: is of another architecture: weights {found}")
    net.load_state_dict(weights)
