"""Targets for the cost of the network that is built from a searched cell (no torch).

`madds=300e6` is one target; `madds=300e6,weight=2+parameters=2.5e6` is two. In YAML a target may
also be a mapping, `{madds: 300e6, weight: 2}`, and several a list of them.

The targets of several networks, one each, are values of one quantity, `madds=150e6,200e6,300e6`,
with settings for all of them after the values; in YAML `{madds: [150e6, 200e6, 300e6]}`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nas.config.choice import JOINT, read_choices
from nas.errors import ConfigError, close_matches, shown

QUANTITIES = {
    "madds": "multiply-adds",
    "parameters": "parameters",
    "latency_ms": "milliseconds",
}
"""What can be aimed at, and its unit."""
_SETTINGS = ("weight", "warmup_epochs")
_NAME = "target"


@dataclass(frozen=True)
class Target:
    """A cost to aim at."""

    quantity: str
    """A key of `QUANTITIES`."""
    value: float
    """T, of the evaluation network at the size of the paper."""
    weight: float = 1.0
    """Factor of |E / T - 1| in the alpha loss."""
    warmup_epochs: int = 1
    """Number of first epochs without the term."""

    def __str__(self) -> str:
        """Return the text that is read as this target; settings that are the default left out."""
        plain = Target(self.quantity, self.value)
        settings = [
            f"{name}={getattr(self, name)!r}"
            for name in _SETTINGS
            if getattr(self, name) != getattr(plain, name)
        ]
        value = int(self.value) if self.value.is_integer() else self.value
        return ",".join([f"{self.quantity}={value!r}", *settings])


def read_targets(text: str, where: str = _NAME) -> tuple[Target, ...]:
    """Read targets joined by +; empty text is none.

    Args:
        text: Such as "madds=300e6,weight=2+parameters=2.5e6".
        where: The setting, for messages.

    Raises:
        ConfigError: The text does not follow the grammar, or a value is out of range.
    """
    # A target is a choice whose name is left out.
    named = f"{_NAME},{JOINT.sub(f'+{_NAME},', text)}" if text.strip() else ""
    targets = tuple(_read(choice.settings, where) for choice in read_choices(named, where))
    for target in targets:
        if sum(target.quantity == other.quantity for other in targets) > 1:
            raise ConfigError(f"{where}: {target.quantity} is given twice; give it once")
    return targets


def check_latency_table(targets: Sequence[Target], latency_table: str | None) -> None:
    """Raise ConfigError where a latency has no table, or a table no latency."""
    needs_table = any(target.quantity == "latency_ms" for target in targets)
    if needs_table and latency_table is None:
        raise ConfigError(
            "target: latency_ms needs a table of this machine; make one with `nas latency` and "
            "name it with `latency_table`"
        )
    if latency_table is not None and not needs_table:
        raise ConfigError(
            "latency_table: has an effect only with a `target` of latency_ms; leave it out"
        )


def read_frontier(text: str, where: str = "targets") -> tuple[Target, ...]:
    """Read the targets of several networks, in increasing order.

    Args:
        text: Such as "madds=150e6,200e6,300e6,weight=2"; empty text is none.
        where: The setting, for messages.

    Raises:
        ConfigError: The text does not follow the grammar, or a value is out of range or there
            twice.
    """
    if not text.strip():
        return ()
    first, *rest = (part.strip() for part in text.split(","))
    quantity, equals, value = (part.strip() for part in first.partition("="))
    num_values = next((i for i, part in enumerate(rest) if "=" in part), len(rest))
    values, settings = [value, *rest[:num_values]], rest[num_values:]
    if quantity not in QUANTITIES or not equals or not all("=" in part for part in settings):
        raise ConfigError(
            f"{where}: expected QUANTITY=VALUE,VALUE,... and perhaps settings after the values, "
            f"such as madds=150e6,200e6,300e6 or madds=1e6,2e6,weight=2, found {shown(text)}"
        )
    texts = (",".join([f"{quantity}={value}", *settings]) for value in values)
    targets = sorted((read_targets(one, where)[0] for one in texts), key=lambda one: one.value)
    if targets[0].warmup_epochs < 1:
        raise ConfigError(
            f"{where}: warmup_epochs: expected 1 or more, found {targets[0].warmup_epochs}; these "
            "epochs are what the searches have in common"
        )
    for one, other in pairwise(targets):
        if one.value == other.value:
            raise ConfigError(f"{where}: {one.value:g} is given twice; give it once")
    return tuple(targets)


def frontier_to_text(value: Any, where: str) -> str:
    """Turn what a YAML file holds, text or a mapping with a list of values, into text.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(value, Mapping) and value:
        lists = {key: item if isinstance(item, list) else [item] for key, item in value.items()}
        order = sorted(lists, key=lambda key: key not in QUANTITIES)
        return ",".join(f"{key}={','.join(map(str, lists[key]))}" for key in order)
    if isinstance(value, str):
        return value
    raise ConfigError(
        f"{where}: expected madds=NUMBER,NUMBER or a mapping such as {{madds: [150e6, 300e6]}}, "
        f"found {shown(value)}"
    )


def targets_to_text(value: Any, where: str) -> str:
    """Turn what a YAML file holds, text, a mapping, or a list of both, into text.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "+".join(targets_to_text(item, where) for item in value)
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if isinstance(item, list | Mapping):
                raise ConfigError(
                    f"{where}: {key}: expected one number, found {shown(item)}; `targets` takes "
                    "several, in a space of chains"
                )
        return ",".join(f"{key}={item}" for key, item in value.items())
    raise ConfigError(
        f"{where}: expected madds=NUMBER or a mapping such as {{madds: 300e6}}, found "
        f"{shown(value)}"
    )


def _read(settings: Mapping[str, str], where: str) -> Target:
    quantities = [key for key in settings if key in QUANTITIES]
    for key in settings:
        if key not in (*QUANTITIES, *_SETTINGS):
            raise ConfigError(
                f"{where}: unknown {shown(key)}; {close_matches(key, [*QUANTITIES, *_SETTINGS])}"
            )
    if len(quantities) != 1:
        raise ConfigError(
            f"{where}: expected one of {', '.join(QUANTITIES)} per target, found "
            f"{' and '.join(quantities) or 'none'}; join several targets by +"
        )
    quantity = quantities[0]
    value = _number(settings[quantity], f"{where}: {quantity}")
    weight = _number(settings.get("weight", "1"), f"{where}: weight")
    epochs = settings.get("warmup_epochs", "1")
    if not epochs.isdecimal():
        raise ConfigError(
            f"{where}: warmup_epochs: expected a whole number, 0 or more, found {shown(epochs)}"
        )
    return Target(quantity, value, weight, int(epochs))


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ConfigError(f"{where}: expected a number above 0, found {shown(text)}")
    return value
