"""How a setting names one of several things and gives it settings: NAME,KEY=VALUE,... (no torch).

`pc_darts,channel_fraction=4` is one choice; `beta_decay,weight=0.5+zero_one` is two, joined by +
as the parts of a space are. In YAML a choice may also be a mapping,
`{name: pc_darts, channel_fraction: 4}`, and several a list of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.errors import ConfigError, shown

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
JOINT = re.compile(r"\+(?=\s*[A-Za-z_])")
"""The + between two choices, which is not that of 1e+3."""


@dataclass(frozen=True)
class Choice:
    """A name and its settings, as the user wrote them."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return ",".join([self.name, *(f"{key}={value}" for key, value in self.settings.items())])


def read_choices(text: str, where: str) -> list[Choice]:
    """Read choices joined by +.

    Args:
        text: Such as "beta_decay,weight=0.5+zero_one"; empty text is no choice.
        where: The setting, for messages.

    Raises:
        ConfigError: The text does not follow the grammar.
    """
    return [_read(part.strip(), where) for part in JOINT.split(text)] if text.strip() else []


def read_choice(text: str, where: str) -> Choice:
    """Read exactly one choice; see `read_choices`."""
    choices = read_choices(text, where)
    if len(choices) != 1:
        raise ConfigError(f"{where}: expected one NAME or NAME,KEY=VALUE, found {shown(text)}")
    return choices[0]


def choices_to_text(value: Any, where: str) -> str:
    """Turn what a YAML file holds, text, a mapping, or a list of both, into text.

    Raises:
        ConfigError: It is something else, or a mapping without `name`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "+".join(choices_to_text(item, where) for item in value)
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        settings = {str(key): str(item) for key, item in value.items() if key != "name"}
        return str(Choice(value["name"], settings))
    raise ConfigError(
        f"{where}: expected NAME,KEY=VALUE or a mapping with `name:`, found {shown(value)}"
    )


def _read(text: str, where: str) -> Choice:
    name, *pairs = (part.strip() for part in text.split(","))
    if not NAME.fullmatch(name):
        raise ConfigError(f"{where}: expected a name such as darts, found {shown(name or text)}")
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not NAME.fullmatch(key) or not equals or not value:
            raise ConfigError(f"{where}: {name}: expected KEY=VALUE, found {shown(pair)}")
        if key in settings:
            raise ConfigError(f"{where}: {name}: {key} is given twice; give it once")
        settings[key] = value
    return Choice(name, settings)
