"""Settings of operators survive genotype.json, or are refused when they are registered."""

import enum
import json
from fractions import Fraction
from pathlib import Path

import numpy
import pytest
import torch

from nas.errors import OperatorError
from nas.operators import get_operator, register_operator
from nas.operators.plain import plain_settings
from nas.operators.registry import OPERATORS
from nas.registry import temporary


class Rule(enum.StrEnum):
    """Text with a name."""

    FLOOR = "floor"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (numpy.int64(3), 3),
        (numpy.float32(0.5), 0.5),
        (numpy.bool_(True), True),
        (numpy.str_("a"), "a"),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (torch.tensor(2), 2),
        (torch.tensor([0.5, 1.0]), [0.5, 1.0]),
        ((3, 3), [3, 3]),
        ({"a": (1, {"b": None})}, {"a": [1, {"b": None}]}),
        (Rule.FLOOR, "floor"),
        (10**30, 10**30),
        ("é", "é"),
    ],
)
def test_values_come_back_as_they_were_registered(value, plain):
    """What JSON gives back is what the registered operator has."""
    settings = plain_settings("op", {"key": value})
    assert settings == {"key": plain}
    assert json.loads(json.dumps(settings)) == settings
    assert type(settings["key"]) is type(plain)


LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        numpy.float64("nan"),
        1j,
        {1, 2},
        b"a",
        Path("a"),
        Fraction(1, 2),
        torch.nn.ReLU,
        lambda x: x,
        {3: 1},
        [object()],
        LOOP,
    ],
)
def test_what_json_cannot_hold_is_refused_at_once(value):
    """One line that names the operator and the setting, before anything is trained."""
    with pytest.raises(OperatorError, match=r"^operator 'op': settings\.key"):
        plain_settings("op", {"key": value})


def test_registration_uses_it():
    """The record has plain values; a refused operator is not registered."""
    with temporary():
        build = register_operator("tuples", settings={"kernel_size": (3, numpy.int64(5))})
        build(lambda channels, stride, *, affine: None)
        assert get_operator("tuples").description()["settings"] == {"kernel_size": [3, 5]}
        with pytest.raises(OperatorError, match=r"genotype\.json cannot keep"):
            register_operator("sets", settings={"kernel_size": {3}})(lambda *_: None)
        with pytest.raises(OperatorError, match="label: expected text"):
            register_operator("labels", label=3)(lambda *_: None)
        assert "sets" not in OPERATORS and "labels" not in OPERATORS
