"""YAML read safely and strictly: plain data, no aliases, no repeated keys, one clear error."""

from pathlib import Path
from typing import Any

import yaml

from nas.errors import NasError

MAX_BYTES = 1 << 20
"""Larger files are refused: no file that this project reads comes near it."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that also refuses aliases (alias bombs) and repeated keys (a silent loss)."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not allowed; write the value out",
                problem_mark=self.peek_event().start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.MarkedYAMLError(
                    problem="keys must be plain words", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, where: str, error: type[NasError]) -> Any:
    """Parse YAML text into plain Python data.

    Args:
        text: The document.
        where: Its name, for messages.
        error: The class to raise.

    Raises:
        NasError: (as `error`) when the text is not YAML, uses an alias, repeats a key, nests
            too deeply or is larger than `MAX_BYTES`.
    """
    if len(text) > MAX_BYTES:
        raise error(f"{where}: {len(text)} characters; at most {MAX_BYTES} are read")
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(cause, "problem", None) or str(cause).split("\n")[0]
        raise error(f"{where}:{line} not valid YAML: {problem}") from cause
    except RecursionError as cause:
        raise error(f"{where}: not valid YAML: nested too deeply") from cause
    except ValueError as cause:  # a date such as 2024-99-99
        raise error(f"{where}: not valid YAML: {cause}") from cause


def read_yaml(path: Path, error: type[NasError]) -> Any:
    """Read a YAML file into plain Python data; raises `error` when it cannot."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or "is not UTF-8 text"
        raise error(f"{path}: cannot be read: {reason}") from cause
    return parse_yaml(text, str(path), error)
