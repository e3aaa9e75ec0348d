"""The errors a user can cause.

Each message says where, what was found, what is allowed and what to do next, on one line.
Library code names parameters: ``batch_size: found 3, ...`` at the start of a message, or
`` `seed` `` in backquotes within it. `nas.program.run_program` prints the message on stderr with
these names as flags and leaves with exit code 2. Every other exception is a fault of this project
and keeps its traceback.
"""

import difflib
import math
import reprlib
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any


class NasError(Exception):
    """Base of every error that the user can fix."""


class ConfigError(NasError):
    """A flag, a configuration file or a combination of settings is wrong."""


class SearchSpaceError(NasError):
    """A search space file is malformed or contradicts itself."""


class OperatorError(NasError):
    """An operator is unknown, is registered twice or breaks its contract."""


class GenotypeError(NasError):
    """A genotype cannot be read, or does not fit what it is used for."""


class ChainError(NasError):
    """A network of a chain cannot be read, or is not of its space."""


class DataError(NasError):
    """A data set is missing, unreadable or inconsistent."""


class RunDirectoryError(NasError):
    """A run directory cannot be used as asked."""


class CheckpointError(NasError):
    """A checkpoint is missing, damaged or of another run."""


class ReportError(NasError):
    """A picture or a report cannot be made."""


class TrainingError(NasError):
    """A search or a training run went wrong in its numbers."""


class DeployError(NasError):
    """A network cannot be exported, quantized or run outside of PyTorch."""


class DistributedError(NasError):
    """The processes of one run have lost each other, or disagree."""


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200  # long enough for the paths that users type

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write an integer of more than 4300 digits.
        return repr(x) if x.bit_length() <= 128 else f"a number of {x.bit_length()} bits"


def shown(value: Any) -> str:
    """Write a value that the user gave as an error message quotes it: `repr`, but never long."""
    return _Short().repr(value)


def shown_range(low: float, high: float) -> str:
    """Write the ends of a range so that both are in it: whole numbers, or four digits."""
    if low >= 1000:
        return f"{math.ceil(low)} to {math.floor(high)}"
    ends = []
    for end, rounding in ((low, ROUND_CEILING), (high, ROUND_FLOOR)):
        short = Context(prec=4, rounding=rounding).create_decimal(repr(end))
        ends.append(f"{short:f}")
    return " to ".join(ends)


def close_matches(name: str, known: Iterable[str]) -> str:
    """Say which known names are near to an unknown one, for the tail of an error message.

    Args:
        name: What the user wrote.
        known: The names that are allowed.

    Returns:
        "did you mean 'a' or 'b'?" where something is near, else "known: a, b, c".
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f"did you mean {' or '.join(repr(match) for match in near)}?"
    return f"known: {', '.join(known)}"
