"""How an experiment names a way to search: a method, and perhaps a selection after it.

`pc_darts,channel_fraction=4` is a method with a setting; `darts+darts_pt,interval=2` is the method
darts, whose cells the selection darts_pt chooses. In YAML an entry may also be a mapping:
`{name: darts, selection: {name: darts_pt, interval: 2}}`.
"""

import re
from collections.abc import Mapping
from typing import Any

from nas.config.choice import JOINT
from nas.errors import ConfigError, shown

_CHOICE = re.compile(r"[\w.-]{1,80}(,[\w.-]{1,80}=[^,\s]{1,80})*")
_SETTING = re.compile(r"[\w.-]+=")
_SELECTION = "selection"


def read_methods(entries: Any, where: str) -> list[str]:
    """Read a list of methods, each text or a mapping.

    A flag splits its text at every comma; what is a setting is joined to its method again.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(entries, list | tuple):
        raise ConfigError(f"{where}: expected a list, found {shown(entries)}")
    methods: list[str] = []
    for index, entry in enumerate(entries):
        if methods and isinstance(entry, str) and _SETTING.match(entry):
            methods[-1] += f",{entry}"
        else:
            methods.append(_method_to_text(entry, f"{where}[{index}]"))
    return methods


def check_methods(methods: tuple[str, ...], where: str) -> None:
    """Check the form METHOD or METHOD+SELECTION of methods, and that each is there once.

    Raises:
        ConfigError: A method has another form, or is there twice.
    """
    for method in methods:
        parts = JOINT.split(method)
        if len(parts) > 2 or not all(map(_CHOICE.fullmatch, parts)):
            raise ConfigError(
                f"{where}: expected NAME or NAME,SETTING=VALUE,..., perhaps with +SELECTION after "
                f"it, found {shown(method)}"
            )
    if len(set(methods)) != len(methods):
        raise ConfigError(f"{where}: expected different methods, found one twice")


def flags_of(method: str | None) -> list[str]:
    """Return the flags of a search by a method; none where other settings say which it is."""
    if method is None:
        return []
    names = ("method", _SELECTION)
    return [f"--{name}={part}" for name, part in zip(names, JOINT.split(method), strict=False)]


def _method_to_text(entry: Any, where: str) -> str:
    if not isinstance(entry, Mapping) or _SELECTION not in entry:
        return _choice_to_text(entry, where)
    method = {key: value for key, value in entry.items() if key != _SELECTION}
    selection = _choice_to_text(entry[_SELECTION], f"{where}: {_SELECTION}")
    return f"{_choice_to_text(method, where)}+{selection}"


def _choice_to_text(entry: Any, where: str) -> str:
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ConfigError(f"{where}: expected a name, or a mapping with `name`: {shown(entry)}")
    settings = []
    for key, value in entry.items():
        if not isinstance(value, str | int | float):
            raise ConfigError(f"{where}: {key}: expected text or a number, found {shown(value)}")
        if key != "name":
            written = str(value).lower() if isinstance(value, bool) else str(value)
            settings.append(f"{key}={written}")
    return ",".join([entry["name"], *settings])
