"""The settings that ask for another search, for methods that have or move no alphas.

Settings of the optimizer of the alphas may be given, so that one file of settings serves all
methods of a comparison.
"""

import dataclasses
from collections.abc import Sequence

from nas.config import SearchConfig
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
