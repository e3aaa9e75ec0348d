"""The words of a command line as values by name; types and ranges are checked elsewhere."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_origin, get_type_hints

from nas.errors import ConfigError, close_matches, shown

SWITCHES = ("help", "print_config")


@dataclass
class CommandLine:
    """What was given; texts are as the user wrote them."""

    configs: list[Path] = field(default_factory=list)
    values: dict[str, str | list[str]] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)


def read_command_line(
    settings: type,
    argv: Sequence[str],
    describe: Callable[[str], str],
    positional: Iterable[str] = (),
) -> CommandLine:
    """Read `--name value`, `--name=value`, `--switch` and arguments without a flag.

    Args:
        settings: The settings record.
        argv: The words.
        describe: Says in words what a field expects.
        positional: Fields that words without a flag go to, in order; a list takes all that are
            left.

    Raises:
        ConfigError: A flag is unknown or has no value, or a word belongs to no flag.
    """
    hints = get_type_hints(settings)
    renamed = getattr(settings, "renamed", {})
    removed = getattr(settings, "removed", {})
    fields = dataclasses.fields(settings)
    known = [f"--{f.name}" for f in fields]
    known += ["--config", *(f"--{name}" for name in SWITCHES)]
    line = CommandLine()
    # A script with line ends of Windows passes the last word of a line with a carriage return.
    words = ["--help" if word == "-h" else word.removesuffix("\r") for word in argv]
    loose: list[str] = []
    index = 0
    while index < len(words):
        word, index = words[index], index + 1
        if not word.startswith("--"):
            loose.append(word)
            continue
        name, has_value, value = word.removeprefix("--").partition("=")
        name = renamed.get(name, name)
        if name in removed:
            raise ConfigError(f"--{name}: is no longer a setting: {removed[name].now}")
        if f"--{name}" not in known:
            flag = word.partition("=")[0]
            raise ConfigError(f"unknown flag {shown(flag)}; {close_matches(flag, known)}")
        if name in SWITCHES:
            line.switches.add(name)
            continue
        following = words[index] if index < len(words) else "--"
        if not has_value:
            if hints.get(name) is bool:
                value = "true"
                if following.lower() in ("true", "false"):
                    value, index = following, index + 1
            elif following.startswith("--"):
                raise ConfigError(f"--{name}: expected {describe(name)} after it, found nothing")
            else:
                value, index = following, index + 1
        if name == "config":
            line.configs.append(Path(value).expanduser())
        else:
            if is_list(hints[name]):  # a flag that is repeated adds to the list
                line.values[name] = [*line.values.get(name, ()), *_listed(value)]
            else:
                line.values[name] = value
    _assign(loose, positional, hints, line)
    return line


def is_list(hint: object) -> bool:
    """Whether a field holds several values."""
    return get_origin(hint) is tuple


def _listed(value: str) -> list[str]:
    """Split `a,b` or `[a, b]`."""
    value = value.strip()
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
        if not value.strip():
            return []
    return [entry.strip() for entry in value.split(",")]


def _assign(
    loose: list[str],
    positional: Iterable[str],
    hints: dict[str, object],
    line: CommandLine,
) -> None:
    """Give the words without a flag to the fields that have none."""
    rest = list(loose)
    for name in positional:
        if is_list(hints[name]):
            if rest:
                line.values[name], rest = rest, []
        elif rest:
            line.values[name] = rest.pop(0)
    if rest:
        raise ConfigError(
            f"found {shown(rest[0])} where a flag is expected; flags are --NAME VALUE"
        )
