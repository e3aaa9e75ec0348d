"""What the small commands have in common: settings from the command line, then a body."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from nas.config import parse_settings
from nas.program import run_program

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def run_command(
    settings: type[Settings],
    body: Callable[[Settings], int | None],
    *,
    prog: str,
    argv: Sequence[str] | None = None,
    positional: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Read settings and run the body with them.

    Args:
        settings: A dataclass; its docstring is the description in the help.
        body: Does the work; returns an exit code, None meaning 0.
        prog: The name of the command, for messages.
        argv: The arguments; None takes those of the process.
        positional: Settings that may be given without their flag, in this order, and their names in
            the help.

    Returns:
        The exit code; 2 for an error that the user can fix.
    """
    words = sys.argv[1:] if argv is None else argv
    description = inspect.getdoc(settings) or ""

    def read_and_run() -> int | None:
        return body(parse_settings(settings, prog, description, words, positional=positional))

    return run_program(prog, read_and_run, [field.name for field in fields(settings)])
