"""Settings of earlier releases, so that their config.yaml files and checkpoints can still be read.

`renamed` and `removed` of a settings record list what changed; see `SearchConfig`.
"""

import functools
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from nas.errors import ConfigError, shown

_LOGGER = logging.getLogger(__name__)


class Removed(NamedTuple):
    """A setting that no longer exists."""

    harmless: tuple[str, ...] | None
    """The values that meant what the program does now; None if every value did."""
    now: str
    """What the program does now."""


REMOVED = {
    "memory_format": Removed(("auto", "channels_last"), "images are stored channels_last"),
    "keep_checkpoints": Removed(None, "the last two checkpoints are kept"),
    "checkpoint_steps": Removed(None, "use `checkpoint_minutes`"),
}
"""What search and training no longer have."""


def updated(settings: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return settings of an earlier release under their names of today.

    Args:
        settings: The settings record.
        values: The values by name.
        where: Where they are from, for messages.

    Raises:
        ConfigError: A removed setting has a value that the program no longer supports.
    """
    renamed = getattr(settings, "renamed", {})
    removed = getattr(settings, "removed", {})
    kept = {}
    ignored = []
    for name, value in values.items():
        if name in removed:
            harmless, now = removed[name]
            if harmless is not None and str(value) not in harmless:
                raise ConfigError(
                    f"{where}: {name}: {shown(value)} is no longer supported: {now}; remove the "
                    "line"
                )
            ignored.append(name)
        else:
            name = renamed.get(name, name)
            if name in kept:
                raise ConfigError(f"{where}: {name} is set twice; an older name of it is there too")
            kept[name] = value
    if ignored:
        _say_ignored(", ".join(ignored))
    return kept


@functools.cache
def _say_ignored(names: str) -> None:
    _LOGGER.warning("ignored in settings of an earlier release: %s", names)
