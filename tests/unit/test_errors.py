"""What error messages are made of."""

import pytest

from nas import errors
from nas.errors import NasError, close_matches, shown, shown_range


def test_every_error_of_the_project_is_a_nas_error():
    """One `except NasError` catches whatever the user can mend."""
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    kinds = [kind for kind in found if issubclass(kind, Exception)]
    assert len(kinds) >= 10
    assert all(issubclass(kind, NasError) for kind in kinds)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("epoch", "did you mean 'epochs'?"),
        ("zzz", "known: epochs, seed"),
        ("", "known: epochs, seed"),
    ],
)
def test_close_matches_names_what_is_near_or_else_everything(name, expected):
    """An unknown name is answered with near names, and with all names when none is near."""
    assert close_matches(name, iter(["epochs", "seed"])) == expected


@pytest.mark.parametrize("value", ["4", 4, -1.5, None, True, ["a", 0], {"a": 1}, "x" * 150])
def test_shown_is_the_repr_of_what_is_short(value):
    """A short value is quoted exactly as Python writes it."""
    assert shown(value) == repr(value)


def _nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, 16**6000, -(16**6000), ["x" * 10**5] * 1000, _nested(900), b"x" * 10**6],
    ids=["text", "number", "negative", "list", "nested", "bytes"],
)
def test_shown_is_never_long(value):
    """A message stays readable whatever the user gave, numbers beyond Python's limit included."""
    assert len(shown(value)) < 2000


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (16_750_080, 57_330_912, "16750080 to 57330912"),
        (16_750_080.4, 57_330_912.9, "16750081 to 57330912"),
        (0.123456, 5.10987, "0.1235 to 5.109"),
        (829_180, 829_180, "829180 to 829180"),
        (999.96, 4000, "1000 to 4000"),
    ],
)
def test_both_ends_that_are_shown_are_in_the_range(low, high, text):
    assert shown_range(low, high) == text
    assert all(low <= float(end) <= high for end in text.split(" to "))
