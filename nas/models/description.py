"""The network of a run: built from its settings, and described in plain values for a checkpoint.

Legend: what is *found* is the genotype or the chain of a network; None for a network by name.
"""

from typing import Any

from torch import nn

from nas.config import AugmentConfig
from nas.data import DatasetInfo
from nas.genotype import Chain, Genotype
from nas.models.factory import build_network
from nas.space import get_family

Found = Genotype | Chain | None


def network_settings(found: Found, config: AugmentConfig, info: DatasetInfo) -> dict[str, Any]:
    """Return everything but the genotype or chain that `build_from` needs, in plain values.

    Args:
        found: None for a network by name.
        config: Resolved.
        info: Information about the dataset.
    """
    settings: dict[str, Any] = {"num_classes": info.num_classes}
    if isinstance(found, Genotype):
        return {
            "in_channels": info.channels,
            **settings,
            "init_channels": config.init_channels,
            "num_cells": config.num_cells,
            "auxiliary": bool(config.auxiliary_weight),
            "stem": config.stem,
        }
    if config.identity_ratio is not None:
        settings["identity_ratio"] = config.identity_ratio
    if found is None:
        return {"model": config.model, **settings}
    return {"in_channels": info.channels, **settings}


def build_from(found: Found, settings: dict[str, Any]) -> nn.Module:
    """Build the network of a genotype or chain, or the one that `settings` name.

    Raises:
        ConfigError: The model's name or a setting of it is unknown.
    """
    if found is None:
        settings = dict(settings)
        return build_network(settings.pop("model"), **settings)
    return get_family(found.family).load("network")(found, **settings)


def describe_model(found: Found, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint holds to build the network again, in plain values."""
    if found is None:
        return settings
    key = "genotype" if isinstance(found, Genotype) else "network"
    return {key: found.to_json(), **settings}


def build_model(description: dict[str, Any]) -> nn.Module:
    """Build the network of a description that `describe_model` made.

    Raises:
        GenotypeError: Its genotype cannot be read.
        ChainError: Its chain cannot be read.
        ConfigError: The model's name or a setting of it is unknown.
    """
    settings = dict(description)
    return build_from(found_in(settings), settings)


def found_in(description: dict[str, Any], where: str = "the checkpoint") -> Found:
    """Take the genotype or the chain out of a description.

    Args:
        description: What `describe_model` made; the text is removed from it.
        where: Its place, for messages.

    Raises:
        GenotypeError: Its genotype cannot be read.
        ChainError: Its chain cannot be read.
    """
    if "genotype" in description:
        return Genotype.from_json(str(description.pop("genotype")), f"genotype of {where}")
    if "network" in description:
        return Chain.from_json(str(description.pop("network")), f"network of {where}")
    return None
