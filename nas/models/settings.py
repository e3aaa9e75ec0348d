"""Checks of the settings that the mobile networks share; each raises `ConfigError`."""

from fractions import Fraction
from numbers import Real

from nas.errors import ConfigError, shown

MAX_WIDTH = 10


def check_width(width_mult: float) -> None:
    """Raise where a width multiplier is not in (0, 10]."""
    if not _is_number(width_mult) or not 0 < width_mult <= MAX_WIDTH:
        raise ConfigError(
            f"width_mult: {shown(width_mult)} is out of range; it must be above 0 and at most "
            f"{MAX_WIDTH}, as in 1.0 or 0.35"
        )


def check_identity_ratio(identity_ratio: float | Fraction | str) -> Fraction:
    """Return an identity tensor multiplier as a fraction; raise where it is not in [0, 1]."""
    try:
        ratio = Fraction(identity_ratio)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        ratio = None
    if ratio is None or isinstance(identity_ratio, bool) or not 0 <= ratio <= 1:
        raise ConfigError(
            f"identity_ratio: {shown(identity_ratio)} is out of range; it must be in [0, 1], as in "
            "1, 0.5 or 1/3"
        )
    return ratio


def check_count(name: str, value: int) -> None:
    """Raise where a count is no whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"{name}: {shown(value)} is out of range; it must be a whole number of at least 1"
        )


def check_probability(name: str, value: float) -> None:
    """Raise where a probability is not in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:
        raise ConfigError(f"{name}: {shown(value)} is out of range; it must be in [0, 1)")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
