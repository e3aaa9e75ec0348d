"""From a command line and a YAML file to a frozen dataclass, with one clear error.

jsonargparse does the types and the help. It goes through the command line from left to right, so
that a `--config` after a flag would undo the flag: here the configuration files are moved to the
front, and a flag wins wherever it stands.
"""

import dataclasses
import re
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from nas.errors import ConfigError, NasError, close_matches
from nas.strict_yaml import read_yaml

Settings = TypeVar("Settings")

set_parsing_settings(docstring_parse_attribute_docstrings=True)


def parse_settings(
    settings: type[Settings],
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
    base: Path | None = None,
) -> Settings:
    """Read a dataclass of settings from flags and from the files that `--config` names.

    Every field is a flag of the same name. `--help` and `--print_config` print and exit.

    Args:
        settings: A dataclass; its `__post_init__` checks ranges and raises ConfigError.
        prog: The name of the program, for the help.
        description: What it does, for the help.
        argv: The arguments; None takes those of the process.
        base: A file of settings that everything on the command line wins over.

    Raises:
        ConfigError: An unknown flag or key, a wrong type, or a value out of range.
    """
    hints = get_type_hints(settings)
    configs, flags = _split(sys.argv[1:] if argv is None else argv)
    configs = [base, *configs] if base else configs
    for path in configs:
        _check_config_file(path, list(hints))
    parser = ArgumentParser(
        prog=prog, description=description, allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument(
        "--config", action="config", help="A YAML file of settings; a flag wins over it."
    )
    parser.add_class_arguments(settings, as_group=False)
    arguments = [f"--config={path}" for path in configs] + _spelled_out(flags, hints)
    try:
        parsed = parser.parse_args(arguments)
    except ArgumentError as cause:
        raise ConfigError(_one_line(cause, configs, flags, hints)) from cause
    return settings(**{field.name: parsed[field.name] for field in dataclasses.fields(settings)})


def run_program(name: str, body: Callable[[], int | None]) -> int:
    """Run a program's body and turn what the user can mend into one line and exit code 2.

    Args:
        name: The program's name, which starts the line.
        body: Does the work; returns an exit code, None meaning 0.

    Returns:
        The exit code.
    """
    try:
        return body() or 0
    except NasError as error:
        message = " ".join(str(error).split())
        print(f"{name}: error: {message}", file=sys.stderr)
        return 2


def _split(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Part the files that --config names from the other arguments."""
    configs, flags = [], []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--config":
            path = next(rest, None)
            if path is None:
                raise ConfigError("--config: expected the path of a YAML file after it")
            configs.append(Path(path))
        elif argument.startswith("--config="):
            configs.append(Path(argument.removeprefix("--config=")))
        else:
            flags.append(argument)
    return configs, flags


def _check_config_file(path: Path, names: list[str]) -> None:
    if not path.is_file():
        raise ConfigError(f"--config: there is no file {str(path)!r}")
    document = read_yaml(path, ConfigError)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of settings such as `epochs: 50`")
    for key in document:
        if key not in names:
            raise ConfigError(f"{path}: unknown setting {key!r}; {close_matches(str(key), names)}")


def _spelled_out(flags: list[str], hints: dict[str, Any]) -> list[str]:
    """Write `--resume` as `--resume=true` and `--plugins a,b` as `--plugins=[a,b]`."""
    spelled: list[str] = []
    for index, flag in enumerate(flags):
        name, _, value = flag.removeprefix("--").partition("=")
        following = flags[index + 1] if index + 1 < len(flags) else "--"
        previous = flags[index - 1] if index else ""
        if flag.startswith("--") and hints.get(name) is bool and "=" not in flag:
            spelled.append(flag if following in ("true", "false") else f"{flag}=true")
        elif flag.startswith("--") and _is_list(hints.get(name)) and value[:1] not in ("", "["):
            spelled.append(f"--{name}=[{value}]")
        elif previous.startswith("--") and _is_list(hints.get(previous[2:])) and flag[:1] != "[":
            spelled.append(f"[{flag}]")
        else:
            spelled.append(flag)
    return spelled


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _one_line(cause: ArgumentError, configs: list[Path], flags: list[str], hints: dict) -> str:
    """Say which flag or file is wrong, what was found and what is allowed."""
    given = [flag.split("=")[0] for flag in flags if flag.startswith("--")]
    for flag in given:
        if flag[2:] not in [*hints, "help", "print_config"]:
            return f"unknown flag {flag}; {close_matches(flag, [f'--{name}' for name in hints])}"
    message = " ".join(str(cause).split())
    found = re.search(r'Parser key "(\w+)":.*?(?:Got|Given) value: (.*)$', message)
    if found and found[1] in hints:
        name = found[1]
        where = f"--{name}" if f"--{name}" in given else f"{', '.join(map(str, configs))}: {name}"
        return f"{where}: expected {_describe(hints[name])}, found {found[2]}"
    return message


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint))
    if _is_list(hint):
        kinds = [_describe(option) for option in get_args(hint) if option is not Ellipsis]
        return f"a list of {kinds[0]}" if Ellipsis in get_args(hint) else f"[{', '.join(kinds)}]"
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return plain.get(hint, "null")
