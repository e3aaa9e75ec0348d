"""From a command line and a YAML file to a frozen dataclass, with one clear error.

jsonargparse does the types and the help. It goes through the command line from left to right, so
that a `--config` after a flag would undo the flag: here the configuration files are moved to the
front, and a flag wins wherever it stands. A file may stand on another one, its `base`.
"""

import dataclasses
import os
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from nas.errors import ConfigError, close_matches, shown
from nas.strict_yaml import is_file, read_yaml

Settings = TypeVar("Settings")

_BASE = "base"
"""Key of a file of settings: the file that it changes, relative to its own folder."""

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
    layers = [layer for path in configs for layer in _read_config_files(path, hints)]
    parser = ArgumentParser(
        prog=prog, description=description, allow_abbrev=False, exit_on_error=False
    )
    parser.add_argument(
        "--config", action="config", help="A YAML file of settings; a flag wins over it."
    )
    parser.add_class_arguments(settings, as_group=False)
    texts = [yaml.safe_dump(document) for _, document in layers]  # each file is read once
    arguments = [f"--config={text}" for text in texts] + _spelled_out(flags, hints)
    try:
        parsed = parser.parse_args(arguments)
    except ArgumentError as cause:
        raise ConfigError(_one_line(cause, dict(layers), flags, hints)) from cause
    except OverflowError as cause:  # of float(...)
        raise ConfigError(f"a number is too large in {shown(' '.join(flags))}") from cause
    return settings(**{field.name: parsed[field.name] for field in dataclasses.fields(settings)})


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


def _read_config_files(
    path: Path, hints: dict[str, Any], above: tuple[Path, ...] = ()
) -> list[tuple[Path, dict[str, Any]]]:
    """Read a file of settings, and before it the one that it names as its `base`."""
    if path in above:
        raise ConfigError(f"{path}: is its own base; name another file, or leave `base` out")
    document = _read_config_file(path, hints)
    base = document.pop(_BASE, None)
    if base is None:
        return [(path, document)]
    if not isinstance(base, str) or not is_file(path.parent / base):
        raise ConfigError(f"{path}: {_BASE}: there is no file {shown(base)} beside it")
    under = Path(os.path.normpath(path.parent / base))
    return [*_read_config_files(under, hints, (*above, path)), (path, document)]


def _read_config_file(path: Path, hints: dict[str, Any]) -> dict[str, Any]:
    if not is_file(path):
        raise ConfigError(f"--config: there is no file {shown(str(path))}")
    document = read_yaml(path, ConfigError)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of settings such as `epochs: 50`")
    for key, value in document.items():
        if key == _BASE:
            continue
        if key not in hints:
            raise ConfigError(f"{path}: unknown setting {shown(key)}; {close_matches(key, hints)}")
        if value is None and type(None) not in get_args(hints[key]):
            raise ConfigError(f"{path}: {key}: expected {_describe(hints[key])}, found null")
    return document


def _spelled_out(flags: list[str], hints: dict[str, Any]) -> list[str]:
    """Write `--resume` as `--resume=true` and `--plugins a,b` as `--plugins=[a,b]`."""
    spelled: list[str] = []
    for index, flag in enumerate(flags):
        name, _, value = flag.removeprefix("--").partition("=")
        following = flags[index + 1] if index + 1 < len(flags) else "--"
        previous = flags[index - 1] if index else ""
        if flag.startswith("--") and hints.get(name) is bool and "=" not in flag:
            spelled.append(flag if following.lower() in ("true", "false") else f"{flag}=true")
        elif flag.startswith("--") and _is_list(hints.get(name)) and value[:1] not in ("", "["):
            spelled.append(f"--{name}=[{value}]")
        elif previous.startswith("--") and _is_list(hints.get(previous[2:])):
            spelled.append(flag if flag.startswith(("[", "--")) else f"[{flag}]")
        else:
            spelled.append(flag)
    return spelled


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _one_line(
    cause: ArgumentError,
    documents: dict[Path, dict[str, Any]],
    flags: list[str],
    hints: dict[str, Any],
) -> str:
    """Say which flag or file is wrong, what was found and what is allowed."""
    known = [f"--{name}" for name in (*hints, "config", "print_config", "help")]
    given = [flag.split("=")[0] for flag in flags if flag.startswith("--")]
    for flag in given:
        if flag not in known:
            return f"unknown flag {shown(flag)}; {close_matches(flag, known)}"
    message = " ".join(str(cause).split())
    if found := re.match(r"unrecognized arguments: (.*)", message):
        return f"found {shown(found[1])} where a flag is expected; flags are --NAME VALUE"
    if found := re.match(r"argument --(\w+): expected one argument", message):
        return f"--{found[1]}: expected {_describe(hints[found[1]])} after it, found nothing"
    found = re.match(r'Parser key "(\w+)":.*?(?:Got|Given) value: ?(.*)', message)
    if not found or found[1] not in hints:
        return re.sub(r'^Parser key "(\w+)"', r"--\1", message)
    name, value = found.groups()
    where = f"--{name}"
    in_files = [path for path, document in documents.items() if name in document]
    at_fault = [path for path in in_files if str(documents[path][name]) == value]
    if at_fault or (in_files and where not in given):
        where = f"{(at_fault or in_files)[-1]}: {name}"
    return f"{where}: expected {_describe(hints[name])}, found {shown(value)}"


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
