"""Read files of the user safely: text of bounded size, and YAML that holds plain data only."""

import codecs
import re
from pathlib import Path
from typing import Any

import yaml

from nas.errors import NasError, shown

MAX_BYTES = 1 << 18
"""Larger files are refused: no YAML file that this project reads comes near it."""

MAX_DEPTH = 32
"""Lists and mappings within each other; a space file needs 4."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses what loses data silently, and reads values as they look.

    Refused are aliases (alias bombs), tags (objects), deep nesting, repeated keys and keys that are
    not text. Of YAML 1.1 it leaves out what nobody expects: `off` and `yes` are text, `0123` is
    123, and dates and times are text.
    """

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  # filled below
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
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

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > 21 or (value := int(node.value)).bit_length() > 64:
            raise _error("a whole number of more than 64 bits", node)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _error(f"keys must be plain words, found {shown(key)}", key_node)
            if key in seen:
                raise _error(f"the key {shown(key)} is there twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _TextLoader(_StrictLoader):
    """Leaves every value but null as the text that was written."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012


for _loader, _tag, _pattern, _first in (
    (_StrictLoader, "bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_StrictLoader, "int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        _StrictLoader,
        "float",  # as yaml.safe_dump writes one, and as it quotes text that looks like one
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
        r"|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_StrictLoader, "null", r"~|null|Null|NULL|", "~nN\0"),
    (_TextLoader, "null", r"~|null|Null|NULL|", "~nN\0"),
):
    _loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}",
        re.compile(rf"^(?:{_pattern})$"),
        ["" if letter == "\0" else letter for letter in _first],
    )
_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_whole_number)


def _error(problem: str, place: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)  # type: ignore[arg-type]


def parse_yaml(text: str, where: str, error: type[NasError], *, as_text: bool = False) -> Any:
    """Parse YAML text into plain Python data.

    Args:
        text: The document.
        where: Its name, for messages.
        error: The class to raise.
        as_text: Leave every value but null as the text that was written, for a reader that knows
            the types.

    Raises:
        NasError: (as `error`) when the text is not YAML, uses an alias or a tag, repeats a key,
            has a key that is not text or a whole number of more than 64 bits, nests more than
            `MAX_DEPTH` levels deep or is longer than `MAX_BYTES`.
    """
    if len(text) > MAX_BYTES:
        raise error(f"{where}: {len(text)} characters; at most {MAX_BYTES} are read")
    try:
        return yaml.load(text, Loader=_TextLoader if as_text else _StrictLoader)
    except yaml.YAMLError as cause:
        mark = getattr(cause, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problem = getattr(cause, "problem", None) or str(cause).split("\n")[0]
        raise error(f"{where}:{line} not valid YAML: {problem}") from cause


def read_yaml(path: Path, error: type[NasError], *, as_text: bool = False) -> Any:
    """Read a YAML file into plain Python data; see `parse_yaml`."""
    return parse_yaml(read_text(path, error), str(path), error, as_text=as_text)


def read_text(path: Path, error: type[NasError], max_bytes: int = MAX_BYTES) -> str:
    """Read a text file.

    Args:
        path: The file; a byte order mark and line ends of Windows are read, and so is UTF-16
            with a byte order mark.
        error: The class to raise.
        max_bytes: No more than this is ever read.

    Raises:
        NasError: (as `error`) when the file cannot be read, is larger or is not such text.
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
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = content.decode("utf-16")  # as PowerShell and Notepad may save a file
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(
            f"{path}: cannot be read: is not UTF-8 text; save it as UTF-8 in your editor"
        ) from cause
    return text.replace("\r\n", "\n")


def is_file(path: Path) -> bool:
    """Whether a file exists; False also for text that is too long to be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_directory(path: Path) -> bool:
    """Whether a directory exists; False also for text that is too long to be a path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_gone(text: str) -> bool:
    """Whether a text that looks like a path names nothing that exists."""
    is_path = text.endswith((".yaml", ".yml", ".json", ".txt")) or "/" in text
    return is_path and not is_file(Path(text)) and not is_directory(Path(text))
