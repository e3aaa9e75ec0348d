"""From a command line and YAML files to a frozen dataclass, with one clear error.

The data flows one way: words and files become values by name, jsonargparse converts them to the
types of the fields, and the record checks itself. A flag wins over every file, wherever it is on
the line; of several files the later one wins.
"""

import dataclasses
import os
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from nas.config.command_line import is_list, read_command_line
from nas.config.fields import GROUPS
from nas.config.old_keys import updated
from nas.config.settings_file import read_settings_file
from nas.errors import ConfigError, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")
_NONE: Mapping[str, str] = MappingProxyType({})

set_parsing_settings(docstring_parse_attribute_docstrings=True)


@dataclass(frozen=True)
class Layer:
    """Values from one place; a later layer wins over an earlier one."""

    where: str
    """The file, or "" for the flags."""
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Arguments(Generic[Settings]):
    """What a command line and the files it names say, before defaults and checks."""

    settings: type[Settings]
    layers: tuple[Layer, ...]
    print_config: bool = False
    positional: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """Return the text that is given for a setting; None if there is none."""
        values = [layer.values[name] for layer in self.layers if name in layer.values]
        return _expanded(self.settings, {name: values[-1]})[name] if values else None

    def make(self, base: Layer | Path | None = None) -> Settings:
        """Build the settings record.

        Args:
            base: Values, or a file of them, that everything given wins over.

        Raises:
            ConfigError: A value has a wrong type or is out of range.
        """
        layers = (*_base_layers(self.settings, base), *self.layers)
        parser = _parser(self.settings)
        merged: dict[str, Any] = {}
        for layer in layers:
            values = _converted(self.settings, layer)
            values = _expanded(self.settings, values)
            _check_types(parser, self.settings, layer.where, values)
            merged |= values
        for f in dataclasses.fields(self.settings):
            if f.default is dataclasses.MISSING and f.name not in merged:
                name = self.positional.get(f.name, f"--{f.name}")
                raise ConfigError(f"{name} is missing; see --help")
        parsed = parser.parse_object(merged)
        if self.print_config:
            print(parser.dump(parsed), end="")
            raise SystemExit(0)
        names = [f.name for f in dataclasses.fields(self.settings)]
        try:
            return self.settings(
                **{name: _text_or(parsed[name], merged.get(name)) for name in names}
            )
        except ConfigError as error:
            raise ConfigError(_located(str(error), layers)) from error


def _text_or(parsed: Any, given: Any) -> Any:
    """Return the parsed value, but text that YAML takes for a comment as it was given."""
    is_comment = parsed is None and isinstance(given, str) and given.lstrip().startswith("#")
    return given if is_comment else parsed


def parse_settings(
    settings: type[Settings],
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
    base: Layer | Path | None = None,
    positional: Mapping[str, str] = _NONE,
) -> Settings:
    """Read a record of settings from flags and from the files that `--config` names.

    Every field is a flag of the same name.
    `--help` and `--print_config` print and exit.

    Args:
        settings: A dataclass; its `__post_init__` checks ranges and raises ConfigError.
        prog: The name of the program, for the help.
        description: What it does, for the help.
        argv: The arguments; None takes those of the process.
        base: Values, or a file of them, that everything on the command line wins over.
        positional: Fields that may be given without their flag, in this order, and their names in
            the help, as in {"runs": "RUN"}; a list takes all words that are left.

    Raises:
        ConfigError: An unknown flag or key, a wrong type, or a value out of range.
    """
    return read_arguments(settings, prog, description, argv, positional).make(base)


def read_arguments(
    settings: type[Settings],
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
    positional: Mapping[str, str] = _NONE,
) -> Arguments[Settings]:
    """Read the command line and its files; `--help` prints and exits. See `parse_settings`."""
    hints = get_type_hints(settings)
    words = sys.argv[1:] if argv is None else argv
    line = read_command_line(settings, words, lambda name: _expected(name, hints), positional)
    if "help" in line.switches:
        _help_parser(settings, prog, description, positional).print_help()
        raise SystemExit(0)
    layers = [
        Layer(str(path), values)
        for config in line.configs
        for path, values in read_settings_file(config, settings)
    ]
    layers.append(Layer("", line.values))
    return Arguments(settings, tuple(layers), "print_config" in line.switches, positional)


def _parser(settings: type) -> ArgumentParser:
    """Build the parser that converts values; missing ones are checked for all layers together."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(settings, as_group=False)
    for action in parser._actions:
        action.required = False
    return parser


def _base_layers(settings: type, base: Layer | Path | None) -> list[Layer]:
    if base is None:
        return []
    if isinstance(base, Layer):
        return [Layer(base.where, updated(settings, base.values, base.where))]
    return [Layer(str(path), values) for path, values in read_settings_file(base, settings)]


def _converted(settings: type, layer: Layer) -> dict[str, Any]:
    """Turn the other forms that a file may hold, such as a mapping, into values."""
    values = dict(layer.values)
    for declared in dataclasses.fields(settings):
        name, convert = declared.name, declared.metadata.get("convert")
        if convert is not None and values.get(name) is not None:
            values[name] = convert(values[name], f"{layer.where}: {name}" if layer.where else name)
    return values


def _expanded(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write the home directory in place of `~`, also after the + of a search space."""

    def expand(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [expand(entry) for entry in value]
        if not isinstance(value, str) or "~" not in value:
            return value
        # Path.expanduser would raise for a user who does not exist.
        return "+".join(os.path.expanduser(part) for part in value.split("+"))  # noqa: PTH111

    paths = {f.name for f in dataclasses.fields(settings) if f.metadata.get("is_path")}
    return {name: expand(value) if name in paths else value for name, value in values.items()}


def _check_types(
    parser: ArgumentParser, settings: type, where: str, values: Mapping[str, Any]
) -> None:
    """Raise ConfigError that names the first value of a layer that its field cannot hold."""
    hints = get_type_hints(settings)

    def fits(some: Mapping[str, Any]) -> bool:
        for name, value in some.items():
            if value is None and type(None) not in get_args(hints[name]):
                return False
            if is_list(hints[name]) and not isinstance(value, list | tuple):
                return False
        try:
            parser.parse_object(dict(some), defaults=False)
        except (ArgumentError, OverflowError, ValueError):
            return False
        return True

    if fits(values):
        return
    for name, value in values.items():
        if name not in hints:
            raise ConfigError(f"{where}: unknown setting {shown(name)}")
        if not fits({name: value}):
            place = f"{where}: {name}" if where else name
            found = "null (which `~` alone means in YAML)" if value is None else shown(value)
            raise ConfigError(f"{place}: expected {_expected(name, hints)}, found {found}")


def _located(message: str, layers: Sequence[Layer]) -> str:
    """Put the file in front of a message about a setting that only a file has."""
    name = re.match(r"(\w+):", message)
    places = [layer.where for layer in layers if name and name[1] in layer.values]
    return f"{places[-1]}: {message}" if places and places[-1] else message


def _expected(name: str, hints: Mapping[str, Any]) -> str:
    return "the path of a YAML file" if name == "config" else _describe(hints[name])


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint))
    if is_list(hint):
        kinds = [_describe(option) for option in get_args(hint) if option is not Ellipsis]
        return f"a list of {kinds[0]}" if Ellipsis in get_args(hint) else f"[{', '.join(kinds)}]"
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return plain.get(hint, "null")


def _help_parser(
    settings: type, prog: str, description: str, positional: Mapping[str, str]
) -> ArgumentParser:
    """Build the parser whose help shows the settings by group, the important ones first."""
    fields = dataclasses.fields(settings)
    names = {field.name for field in fields}
    parser = ArgumentParser(
        prog=prog,
        description=description,
        usage=" ".join(["%(prog)s", *positional.values(), "[--NAME VALUE ...] [--config FILE]"]),
        add_help=False,
    )
    if positional:
        helps = {action.dest: action.help for action in _parser(settings)._actions}
        group = parser.add_argument_group("what to work on")
        for name, metavar in positional.items():
            group.add_argument(name, metavar=metavar, help=helps[name])
    for key, title in GROUPS.items():
        members = {f.name for f in fields if f.metadata.get("group", "other") == key}
        members = members.difference(positional)
        if members:
            group = parser.add_argument_group(title)
            group.add_class_arguments(settings, as_group=False, skip=names - members)
    group = parser.add_argument_group("this program")
    group.add_argument("--config", help="A YAML file of settings; a flag wins over it.")
    group.add_argument("--print_config", action="store_true", help="Print the settings and exit.")
    group.add_argument("-h", "--help", action="help", help="Show this help and exit.")
    return parser
