"""The network of a run: built from its settings, and described in plain values for a checkpoint."""

from typing import Any

from torch import nn

from nas.config import AugmentConfig
from nas.data import DatasetInfo
from nas.genotype import Genotype
from nas.models.factory import build_network
from nas.space import get_family


def network_settings(
    genotype: Genotype | None, config: AugmentConfig, info: DatasetInfo
) -> dict[str, Any]:
    """Return everything but the genotype that `build_from` needs, in plain values.

    Args:
        genotype: None for a network by name.
        config: Resolved.
        info: Information about the dataset.
    """
    if genotype is None:
        settings: dict[str, Any] = {"model": config.model, "num_classes": info.num_classes}
        if config.identity_ratio is not None:
            settings["identity_ratio"] = config.identity_ratio
        return settings
    return {
        "in_channels": info.channels,
        "num_classes": info.num_classes,
        "init_channels": config.init_channels,
        "num_cells": config.num_cells,
        "auxiliary": bool(config.auxiliary_weight),
        "stem": config.stem,
    }


def build_from(genotype: Genotype | None, settings: dict[str, Any]) -> nn.Module:
    """Build the network of a genotype, or the one that `settings` name.

    Raises:
        ConfigError: The model's name or a setting of it is unknown.
    """
    if genotype is None:
        settings = dict(settings)
        return build_network(settings.pop("model"), **settings)
    return get_family(genotype.family).load("network")(genotype, **settings)


def describe_model(genotype: Genotype | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint holds to build the network again, in plain values."""
    return settings if genotype is None else {"genotype": genotype.to_json(), **settings}


def build_model(description: dict[str, Any]) -> nn.Module:
    """Build the network of a description that `describe_model` made.

    Raises:
        GenotypeError: Its genotype cannot be read.
        ConfigError: The model's name or a setting of it is unknown.
    """
    settings = dict(description)
    text = settings.pop("genotype", None)
    where = "genotype of the checkpoint"
    return build_from(None if text is None else Genotype.from_json(text, where), settings)
