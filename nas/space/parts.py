"""What a space is read from: files as they were written, and the checks that families share."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import SearchSpaceError, close_matches, shown

NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class SpacePart:
    """One file of a space, or the name of one operator."""

    name: str
    where: str
    """Its place, for messages."""
    family: str | None
    """What the file says; None where it does not."""
    document: Mapping[str, Any]
    """Its content; of an operator, what a file with nothing else would hold."""
    path: Path | None
    """The file; None for an operator."""


def check_keys(document: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Raise SearchSpaceError for a key that is not known."""
    for key in document:
        if key not in known:
            raise SearchSpaceError(
                f"{where}: unknown key {shown(key)}; {close_matches(key, sorted(known))}"
            )


def check_list(value: Any, where: str) -> list[Any]:
    """Return a list, or raise SearchSpaceError."""
    if not isinstance(value, list):
        raise SearchSpaceError(f"{where}: expected a list, found {kind_of(value)}")
    return value


def kind_of(value: Any) -> str:
    """Say what a value of YAML is, for a message."""
    names = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value)) or shown(value)
