"""A network described in plain values for a checkpoint, and built again from them."""

from typing import Any

from torch import nn

from nas.config import AugmentConfig
from nas.data import DatasetInfo
from nas.genotype import Genotype
from nas.models.factory import build_network
from nas.models.network import GenotypeNetwork


def describe_model(
    genotype: Genotype | None, config: AugmentConfig, info: DatasetInfo
) -> dict[str, Any]:
    """Return all that must be known to build the network, in plain values for a checkpoint.

    Args:
        genotype: None for a network by name.
        config: Resolved.
        info: Of the data set.
    """
    if genotype is None:
        description = {"model": config.model, "num_classes": info.num_classes}
        if config.identity_ratio is not None:
            description["identity_ratio"] = config.identity_ratio
        return description
    return {
        "genotype": genotype.to_json(),
        "in_channels": info.channels,
        "num_classes": info.num_classes,
        "init_channels": config.init_channels,
        "num_cells": config.num_cells,
        "auxiliary": config.auxiliary_weight > 0,
        "stem": config.stem,
    }


def build_model(description: dict[str, Any]) -> nn.Module:
    """Build the network of a description that `describe_model` made.

    Raises:
        GenotypeError: Its genotype cannot be read.
        ConfigError: The model's name or a setting of it is unknown.
    """
    settings = dict(description)
    if "model" in settings:
        return build_network(settings.pop("model"), **settings)
    genotype = Genotype.from_json(settings.pop("genotype"), "genotype of the checkpoint")
    return GenotypeNetwork(genotype, **settings)
