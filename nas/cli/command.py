"""What commands have in common: settings from the command line, then a body."""

import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from nas.config import parse_settings
from nas.distributed.launch import read_launch
from nas.program import run_program
from nas.signals import Stopped

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


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


def run_to_end(run: Callable[[], Result], finish: Callable[[Result], None]) -> int:
    """Do work that a signal may stop; the first process shows the result or why it stopped.

    Args:
        run: The work; raises Stopped after it has written a checkpoint.
        finish: Shows what `run` returned.

    Returns:
        0, or the exit code of the signal.
    """
    is_first = read_launch().rank == 0
    try:
        result = run()
    except Stopped as stopped:
        if is_first:
            _log.warning("%s", stopped)
        return stopped.exit_code
    if is_first:
        finish(result)
    return 0
