"""What error messages are made of."""

import pytest

from nas import errors
from nas.errors import NasError, close_matches, shown


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
