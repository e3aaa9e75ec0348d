"""The settings of the alphas: which of them have an effect depends on the method.

What asks for another search is refused. Settings of the optimizer of the alphas may be given to a
method that moves none, so that one file of settings serves all methods of a comparison; the program
says that they have no effect.
"""

import dataclasses
from collections.abc import Sequence

from nas.config import SearchConfig
from nas.config.target import Target, read_frontier, read_targets
from nas.errors import ConfigError

_OTHERS = ("method", "list_methods")
"""Settings of the group "method" that any method has."""


def refuse_settings_of_alphas(config: SearchConfig, why: str, allowed: Sequence[str] = ()) -> None:
    """Refuse settings that would have no effect.

    Args:
        config: The settings of a search.
        why: The reason, for the message, such as "method random has no alphas".
        allowed: Settings that have an effect all the same.

    Raises:
        ConfigError: One of them is not its default.
    """
    for field in dataclasses.fields(config):
        of_alphas = field.metadata.get("group") == "method" and field.name not in _OTHERS
        value = getattr(config, field.name)
        if of_alphas and field.name not in allowed and value != field.default:
            raise ConfigError(
                f"{field.name}: found {value}, but {why}, so it has no effect; leave it out"
            )


def check_targets_act(config: SearchConfig) -> None:
    """Refuse a target whose term would act in no epoch.

    Raises:
        ConfigError: It rests in all epochs.
    """
    where, targets = _targets(config)
    for target in targets:
        if target.warmup_epochs >= config.epochs:
            raise ConfigError(
                f"{where}: {target.quantity}: found warmup_epochs {target.warmup_epochs} in a "
                f"search of `epochs` {config.epochs}, so it would never act; lower warmup_epochs, "
                "or raise `epochs`"
            )


def refuse_settings_of_terms(config: SearchConfig, why: str) -> None:
    """Refuse what a target has for the alpha loss only.

    Args:
        config: The settings of a search.
        why: The reason, for the message, such as "method uniform has no alpha loss".

    Raises:
        ConfigError: A target has a weight or warm-up epochs.
    """
    where, targets = _targets(config)
    for target in targets:
        if target != Target(target.quantity, target.value):
            raise ConfigError(
                f"{where}: {target.quantity}: {why}, so weight and warmup_epochs have no effect; "
                "leave them out"
            )


def _targets(config: SearchConfig) -> tuple[str, tuple[Target, ...]]:
    """Return the setting that has targets, and the targets."""
    if config.targets is not None:
        return "targets", read_frontier(config.targets)
    return "target", read_targets(config.target or "")


def name_unused(config: SearchConfig, groups: Sequence[str], used: Sequence[str] = ()) -> list[str]:
    """Return the settings that were given and have no effect.

    Args:
        config: The settings of a search.
        groups: The groups whose settings have none.
        used: Settings of these groups that have one.
    """
    return [
        field.name
        for field in dataclasses.fields(config)
        if field.metadata.get("group") in groups
        and field.name not in used
        and getattr(config, field.name) != field.default
    ]
