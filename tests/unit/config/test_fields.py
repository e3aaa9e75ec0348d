"""Fields with a range."""

from dataclasses import dataclass

import pytest

from nas.config.fields import check_ranges, setting
from nas.errors import ConfigError


def make(value, **limits):
    @dataclass(frozen=True)
    class Settings:
        x: object = setting(1, **limits)
        free: object = "not checked"

        def __post_init__(self):
            check_ranges(self)

    return Settings(value)


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (1, {"minimum": 1}),
        (3, {"maximum": 3}),
        (1e-9, {"above": 0}),
        (0.999, {"below": 1}),
        (None, {"minimum": 1}),
        ((0, 0.5), {"minimum": 0, "below": 1}),
        ((), {"minimum": 1}),
        (-5, {}),
    ],
)
def test_what_is_within_its_limits_is_taken(value, limits):
    """Limits include `minimum` and `maximum`, exclude `above` and `below`, and spare None."""
    assert make(value, **limits).x == value


@pytest.mark.parametrize(
    ("value", "limits", "message"),
    [
        (0, {"minimum": 1}, "x: expected a number of at least 1, found 0"),
        (4, {"maximum": 3}, "x: expected a number of at most 3, found 4"),
        (0.0, {"above": 0}, "x: expected a number above 0, found 0.0"),
        (1, {"below": 1}, "x: expected a number below 1, found 1"),
        (
            2,
            {"above": 0, "below": 1},
            "x: expected a number above 0 and below 1, found 2",
        ),
        ((0.5, 1.0), {"below": 1}, "x: expected a number below 1, found 1.0"),
        (float("nan"), {"minimum": 0}, "x: expected a number of at least 0, found nan"),
        (float("inf"), {"minimum": 0}, "x: expected a number of at least 0, found inf"),
        (float("-inf"), {}, "x: expected a number that is finite, found -inf"),
        (float("nan"), {}, "x: expected a number that is finite, found nan"),
        (2**2000, {}, "x: expected a number that is finite, found a number of 2001 bits"),
    ],
)
def test_what_is_out_of_its_limits_is_refused(value, limits, message):
    """The message names the setting, the whole range and what was found."""
    with pytest.raises(ConfigError) as error:
        make(value, **limits)
    assert str(error.value) == message
