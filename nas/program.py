"""What every program does around its work: one-line errors, logging, output that never ends a run.

Library code raises `NasError` and names *parameters*: ``batch_size: found 3, ...``. Called from
Python that is right; on a command line the same thing is a flag. `run_program` adds the dashes.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from nas.errors import NasError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run_program(name: str, body: Callable[[], int | None], settings: Collection[str] = ()) -> int:
    """Run the body of a program and turn what the user can fix into one line and exit code 2.

    Messages of the `nas` loggers go to stderr. A closed pipe or a terminal that cannot print a
    character loses output, never work.

    Args:
        name: The program's name, which starts the line.
        body: Does the work; returns an exit code, None meaning 0.
        settings: Names of the program's settings, which messages then show as flags.

    Returns:
        The exit code.
    """
    # Pictures go to files. A notebook's MPLBACKEND is not even importable everywhere.
    os.environ["MPLBACKEND"] = "agg"
    with _lossy_output(), _logging_to_stderr(name, settings):
        try:
            return body() or 0
        except NasError as error:
            message = " ".join(str(error).split())
            print(f"{name}: error: {as_flags(message, settings)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:  # outside of the loops that write a checkpoint first
            print(f"{name}: interrupted", file=sys.stderr)
            return INTERRUPTED


def as_flags(message: str, settings: Collection[str]) -> str:
    """Write the settings that a message names as flags.

    Three spellings are recognized: the name that starts the message (``seed: found ...``), a name
    in backquotes (``set `seed` ``), and a name with an underscore that is a word by itself. The
    names that `close_matches` lists stay as they are: they may be keys of a file.

    Args:
        message: The text of an error or a warning.
        settings: The names of the settings.
    """
    names = sorted(settings, key=len, reverse=True)
    if not names:
        return message
    every = "|".join(map(re.escape, names))
    message, known, listed = message.partition("; known: ")
    message = re.sub(rf"^({every})(?=:)", r"--\1", message)
    message = re.sub(rf"`({every})`", r"--\1", message)
    long = "|".join(re.escape(name) for name in names if "_" in name)
    # After a colon a name is the key of a file: `a.yaml: batch_size: ...`.
    if long:
        message = re.sub(rf"(?<!: )(?<![^\s(])({long})(?![\w=.'])", r"--\1", message)
    return message + known + listed


class _LossyStream:
    """Passes text on to a stream. What the stream cannot take is dropped or escaped."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._is_open = True

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        shown = text.encode(encoding, "backslashreplace").decode(encoding, "replace")
        self._try(lambda: self._stream.write(shown))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        if not self._is_open:
            return
        try:
            action()
        except (OSError, ValueError):  # a closed pipe, a full disk, a closed file
            self._is_open = False
            self._send_the_rest_nowhere()

    def _send_the_rest_nowhere(self) -> None:
        # Else Python fails once more when it flushes its buffer at exit.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def _lossy_output() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    # A stream is None when it was closed before Python started; print then does nothing.
    sys.stdout, sys.stderr = (
        stream if stream is None or isinstance(stream, _LossyStream) else _LossyStream(stream)
        for stream in before
    )
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = before


class _Formatter(logging.Formatter):
    def __init__(self, name: str, settings: Collection[str]):
        super().__init__()
        self.name, self.settings = name, settings

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.name}: {as_flags(record.getMessage(), self.settings)}"


@contextmanager
def _logging_to_stderr(name: str, settings: Collection[str]) -> Iterator[None]:
    logger = logging.getLogger("nas")
    if logger.handlers:  # a program that was started by another one in the same process
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(name, settings))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
