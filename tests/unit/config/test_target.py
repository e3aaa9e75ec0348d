"""The grammar of targets."""

import pytest

from nas.config import SearchConfig
from nas.config.target import (
    Target,
    frontier_to_text,
    read_frontier,
    read_targets,
    targets_to_text,
)
from nas.errors import ConfigError


def test_one_and_several():
    """Numbers in any form of Python; settings in any order; a + of a number is not a joint."""
    assert read_targets("") == ()
    assert read_targets("madds=300e+6") == (Target("madds", 300e6),)
    assert read_targets("weight=2, madds=3e8 + parameters=2500000,warmup_epochs=0") == (
        Target("madds", 3e8, weight=2.0),
        Target("parameters", 2.5e6, warmup_epochs=0),
    )


def test_forms_of_yaml():
    """A mapping, and a list of mappings and texts."""
    assert targets_to_text({"madds": 3e8, "weight": 2}, "") == "madds=300000000.0,weight=2"
    assert targets_to_text(["madds=1", {"parameters": 5}], "") == "madds=1+parameters=5"
    with pytest.raises(ConfigError, match="expected madds=NUMBER"):
        targets_to_text(3, "target")
    with pytest.raises(ConfigError, match=r"target: madds: expected one number, found .*`targets`"):
        targets_to_text({"madds": [1e6, 2e6]}, "target")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("madds", "expected KEY=VALUE, found 'madds'"),
        ("flops=3", "unknown 'flops'"),
        ("weight=3", "expected one of madds, parameters, latency_ms per target, found none"),
        ("madds=3,parameters=4", "found madds and parameters; join several"),
        ("madds=3+madds=4", "madds is given twice"),
        ("madds=0", "madds: expected a number above 0, found '0'"),
        ("madds=many", "madds: expected a number above 0, found 'many'"),
        ("madds=nan", "expected a number above 0"),
        ("madds=3,weight=-1", "weight: expected a number above 0, found '-1'"),
        ("madds=3,warmup_epochs=1.5", "warmup_epochs: expected a whole number"),
    ],
)
def test_refuses(text, message):
    with pytest.raises(ConfigError, match=message):
        read_targets(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "latency_ms=3"}, "make one with `nas latency`"),
        ({"latency_table": "t.json"}, "has an effect only with a `target` of latency_ms"),
    ],
)
def test_a_search_refuses(settings, message):
    with pytest.raises(ConfigError, match=message):
        SearchConfig(**settings)


def test_targets_of_several_networks():
    """In increasing order; settings are those of all."""
    assert read_frontier("") == ()
    assert read_frontier("madds=3e8, 150e6,weight=2") == (
        Target("madds", 150e6, weight=2.0),
        Target("madds", 300e6, weight=2.0),
    )
    assert frontier_to_text({"weight": 2, "madds": [1, 3e8]}, "") == "madds=1,300000000.0,weight=2"
    assert frontier_to_text("madds=1,2", "") == "madds=1,2"


@pytest.mark.parametrize(
    "target", [Target("madds", 8e6), Target("latency_ms", 1.5, 0.3, 7), Target("parameters", 1e7)]
)
def test_a_target_as_text_is_read_back(target):
    assert read_targets(str(target)) == (target,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3e6,4e6", "expected QUANTITY=VALUE,VALUE"),
        ("flops=3,4", "expected QUANTITY=VALUE,VALUE"),
        ("madds=3,weight=2,4", "settings after the values"),
        ("madds=3,3.0", "3 is given twice"),
        ("madds=3,many", "madds: expected a number above 0, found 'many'"),
        ("madds=3,4,speed=2", "unknown 'speed'"),
        ("madds=3,4,warmup_epochs=0", "warmup_epochs: expected 1 or more, found 0"),
    ],
)
def test_several_that_mean_nothing(text, message):
    with pytest.raises(ConfigError, match=f"^targets: .*{message}"):
        SearchConfig(targets=text)


def test_one_target_or_several():
    with pytest.raises(ConfigError, match="targets: `target` is given too"):
        SearchConfig(target="madds=1", targets="madds=1,2")
    with pytest.raises(ConfigError, match="expected madds=NUMBER,NUMBER"):
        frontier_to_text(3, "targets")
