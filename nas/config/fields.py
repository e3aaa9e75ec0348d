"""Fields with a range, checked when a settings record is made."""

import dataclasses
import math
from typing import Any

from nas.errors import ConfigError, shown


def bounded(
    default: Any,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Any:
    """Declare a number, or a list of numbers, that must lie in a range.

    Args:
        default: The default; None allows None, which is not checked.
        minimum: The smallest value that is allowed.
        maximum: The largest value that is allowed.
        above: A value that must be exceeded.
        below: A value that must not be reached.
    """
    limits = {"minimum": minimum, "maximum": maximum, "above": above, "below": below}
    return dataclasses.field(default=default, metadata={"limits": limits})


def check_ranges(settings: Any) -> None:
    """Raise ConfigError for the first `bounded` field of a dataclass that is out of range."""
    for field in dataclasses.fields(settings):
        limits = field.metadata.get("limits")
        value = getattr(settings, field.name)
        if limits is None or value is None:
            continue
        for number in value if isinstance(value, tuple | list) else (value,):
            if not _is_within(number, **limits):
                allowed = _describe(**limits)
                raise ConfigError(
                    f"--{field.name}: expected a number {allowed}, found {shown(number)}"
                )


def check_skip_corrupt(dataset: str, skip_corrupt: bool) -> None:
    """Raise ConfigError where damaged files are to be left out of a set that is not in files."""
    if skip_corrupt and dataset not in ("imagefolder", "imagenet"):
        raise ConfigError(
            "--skip_corrupt has an effect only with --dataset imagefolder or imagenet, found "
            f"{shown(dataset)}"
        )


def _is_within(number, minimum, maximum, above, below) -> bool:
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


def _describe(minimum, maximum, above, below) -> str:
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
