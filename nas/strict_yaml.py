"""Files of the user read safely: text of bounded size, and YAML that holds plain data only."""

from pathlib import Path
from typing import Any

import yaml

from nas.errors import NasError, shown

MAX_BYTES = 1 << 18
"""Larger files are refused: no YAML file that this project reads comes near it."""

MAX_DEPTH = 32
"""Lists and mappings within each other; a space file needs 4."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that also refuses what loses data silently, bombs, or is never plain data.

    Aliases (alias bombs), tags (objects), deep nesting, repeated keys and keys that are not text.
    """

    depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _error("aliases (*name) are not allowed; write the value out", event)
        if event.tag is not None:
            raise _error(f"tags ({event.tag}) are not allowed; write plain values", event)
        if self.depth == MAX_DEPTH:
            raise _error(f"nested too deeply, more than {MAX_DEPTH} levels", event)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_yaml_int(self, node):
        value = super().construct_yaml_int(node)
        if value.bit_length() > 64:
            raise _error("a whole number of more than 64 bits", node)
        return value

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _error(f"keys must be plain words, found {shown(key)}", key_node)
            if key in seen:
                raise _error(f"the key {shown(key)} stands here twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)


def _error(problem: str, place: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


def parse_yaml(text: str, where: str, error: type[NasError]) -> Any:
    """Parse YAML text into plain Python data.

    Args:
        text: The document.
        where: Its name, for messages.
        error: The class to raise.

    Raises:
        NasError: (as `error`) when the text is not YAML, uses an alias or a tag, repeats a key,
            has a key that is not text or a whole number of more than 64 bits, nests more than
            `MAX_DEPTH` levels deep or is longer than `MAX_BYTES`.
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
    except ValueError as cause:  # a date such as 2024-99-99
        raise error(f"{where}: not valid YAML: {cause}") from cause


def read_yaml(path: Path, error: type[NasError]) -> Any:
    """Read a YAML file into plain Python data; raises `error` when it cannot."""
    return parse_yaml(read_text(path, error), str(path), error)


def read_text(path: Path, error: type[NasError], max_bytes: int = MAX_BYTES) -> str:
    """Read a file of UTF-8 text.

    Args:
        path: The file.
        error: The class to raise.
        max_bytes: No more than this is ever read.

    Raises:
        NasError: (as `error`) when the file cannot be read, is larger or is not UTF-8.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the path
        reason = getattr(cause, "strerror", None) or cause
        raise error(f"{path}: cannot be read: {reason}") from cause
    if len(content) > max_bytes:
        raise error(f"{path}: larger than {max_bytes} bytes; is it the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(f"{path}: cannot be read: is not UTF-8 text") from cause


def is_file(path: Path) -> bool:
    """Whether a file is there; False also for what is too long to be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_directory(path: Path) -> bool:
    """Whether a directory is there; False also for what is too long to be a path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
