"""Networks by name, as a user writes them: NAME,SETTING=VALUE,SETTING=VALUE."""

from collections.abc import Callable
from typing import Any

from nas.data import dataset_names
from nas.errors import ConfigError, close_matches, shown
from nas.models.settings import check_count

DATASETS = (*dataset_names(), "imagenet")
_COUNTS = ("num_classes", "init_channels", "num_cells", "in_channels")
_NUMBERS = ("dropout", "drop_path_prob")
_SWITCHES = {"true": True, "false": False}


def split_name(text: str) -> tuple[str, dict[str, Any]]:
    """Split NAME,SETTING=VALUE,... and read the values.

    Raises:
        ConfigError: It has another form, or a value has.
    """
    name, *pairs = _split(text)
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key or not value:
            raise ConfigError(
                f"{shown(text)}: expected NAME,SETTING=VALUE,..., found {shown(pair)}; as in "
                "mobilenext_1.0,identity_ratio=1/2"
            )
        try:
            settings[key] = _value(key, value)
        except ConfigError as cause:
            raise ConfigError(f"{shown(text)}: {cause}") from cause
    return name, settings


def _split(text: str) -> list[str]:
    """Split at commas, but not inside the brackets of a genotype."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _value(key: str, value: str) -> Any:
    if key in _COUNTS:
        number = _number(key, value, int, "a whole number")
        check_count(key, number)
        if key == "in_channels" and number != 3:
            raise ConfigError(f"in_channels: found {number}, but the images have 3 channels")
        return number
    if key in _NUMBERS:
        return _number(key, value, float, "a number")
    if key == "auxiliary":
        if value not in _SWITCHES:
            raise ConfigError(f"auxiliary: expected true or false, found {shown(value)}")
        return _SWITCHES[value]
    if key == "dataset" and value not in DATASETS:
        raise ConfigError(f"dataset: {shown(value)} is unknown; {close_matches(value, DATASETS)}")
    return value


def _number(key: str, value: str, kind: Callable[[str], Any], words: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{key}: expected {words}, found {shown(value)}") from None
