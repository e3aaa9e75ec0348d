"""Fields of a settings record: their range, their group in the help, whether they are paths."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from nas.errors import ConfigError, shown

GROUPS = {
    "network": "network",
    "space": "search space",
    "data": "data",
    "method": "method",
    "budget": "budget",
    "run": "run directory",
    "regularization": "regularization",
    "optimization": "optimization of the weights",
    "architect": "optimization of the alphas",
    "durability": "durability",
    "arithmetic": "arithmetic",
    "processes": "several processes",
    "other": "settings",
}
"""Groups of settings and their titles, in the order in which --help shows them."""


def setting(
    default: Any = dataclasses.MISSING,
    *,
    group: str = "other",
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    is_path: bool = False,
    convert: Callable[[Any, str], Any] | None = None,
) -> Any:
    """Declare a field of a settings record.

    Args:
        default: The default; a number that may be None is not checked when it is None.
        group: A key of `GROUPS`: where --help shows it.
        minimum: The smallest value that is allowed.
        maximum: The largest value that is allowed.
        above: A value that must be exceeded.
        below: A value that must not be reached.
        is_path: Whether it is, or may be, a path: `~` is expanded, and a path in the settings of
            a run is relative to the folder in which the run was started.
        convert: Turns what a file may hold instead into a value, given also the place.
    """
    if group not in GROUPS:
        raise ValueError(f"group: found {group!r}, expected one of {', '.join(GROUPS)}")
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    metadata = {"group": group, "limits": limits, "is_path": is_path, "convert": convert}
    return dataclasses.field(default=default, metadata=metadata)


def check_ranges(settings: Any) -> None:
    """Raise ConfigError for the first number of a settings record that is out of its range."""
    for field in dataclasses.fields(settings):
        limits = field.metadata.get("limits")
        value = getattr(settings, field.name)
        for number in value if isinstance(value, tuple | list) else (value,):
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if limits is not None and is_number and not _is_within(number, **limits):
                allowed = _describe(**limits)
                raise ConfigError(
                    f"{field.name}: expected a number {allowed}, found {shown(number)}"
                )


def check_skip_corrupt(dataset: str, skip_corrupt: bool) -> None:
    """Raise ConfigError if damaged files are to be skipped in a data set that has no files."""
    if skip_corrupt and dataset not in ("imagefolder", "imagenet"):
        raise ConfigError(
            "`skip_corrupt` has an effect only with `dataset` imagefolder or imagenet, found "
            f"{shown(dataset)}"
        )


def _is_within(
    number: float,
    minimum: float | None,
    maximum: float | None,
    above: float | None,
    below: float | None,
) -> bool:
    return (
        _is_finite(number)
        and (minimum is None or number >= minimum)
        and (maximum is None or number <= maximum)
        and (above is None or number > above)
        and (below is None or number < below)
    )


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest float
        return False


def _describe(
    minimum: float | None, maximum: float | None, above: float | None, below: float | None
) -> str:
    words = [
        f"{word} {limit}"
        for word, limit in (
            ("of at least", minimum),
            ("above", above),
            ("of at most", maximum),
            ("below", below),
        )
        if limit is not None
    ]
    return " and ".join(words) if words else "that is finite"
