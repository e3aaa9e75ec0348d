"""The settings of a search: the defaults of the paper, ranges, and what excludes what."""

import dataclasses

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError

PAPER = {
    "space": "darts",
    "dataset": "cifar10",
    "epochs": 50,
    "batch_size": 64,
    "init_channels": 16,
    "num_cells": 8,
    "train_fraction": 0.5,
    "learning_rate": 0.025,
    "learning_rate_min": 0.001,
    "momentum": 0.9,
    "weight_decay": 3e-4,
    "grad_clip": 5.0,
    "alpha_learning_rate": 3e-4,
    "alpha_betas": (0.5, 0.999),
    "alpha_weight_decay": 1e-3,
    "alpha_init_std": 1e-3,
    "xi": None,
    "epsilon": 0.01,
}


@pytest.mark.parametrize("name", PAPER)
def test_the_defaults_are_those_of_darts(name):
    """Without a flag a search is that of DARTS (arXiv:1806.09055), Appendix A.1, on CIFAR-10."""
    assert getattr(SearchConfig(), name) == PAPER[name]


def test_settings_cannot_be_changed():
    """Settings are read once and then fixed."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        SearchConfig().epochs = 3


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("image_size", [7, 1025]),
        ("max_images", [1, 0, -2]),
        ("seed", [-1, 2**31]),
        ("epochs", [0, -1, 10**400]),
        ("batch_size", [1, 0, -64]),
        ("init_channels", [1, 0]),
        ("num_cells", [0, 201]),
        ("train_fraction", [0, 1, -0.5, 1.5, NAN]),
        ("learning_rate", [0, -0.1, NAN, INF]),
        ("learning_rate_min", [-0.1, NAN, INF, 0.03]),
        ("momentum", [-0.1, 1, NAN]),
        ("weight_decay", [-1e-9, NAN, INF]),
        ("grad_clip", [0, -5, NAN, INF]),
        ("epsilon", [0, -1, NAN, INF]),
        ("alpha_learning_rate", [0, NAN, INF]),
        ("alpha_betas", [(0.5, 1), (-0.1, 0.9), (NAN, 0.9), (0.5, INF)]),
        ("alpha_weight_decay", [-1, NAN, INF]),
        ("alpha_init_std", [-1, NAN, INF]),
    ],
)
def test_values_out_of_range_are_refused(name, wrong):
    """No number that cannot work is taken; the message names the setting."""
    for value in wrong:
        with pytest.raises(ConfigError, match=rf"^{name}: expected .*, found "):
            SearchConfig(**{name: value})


@pytest.mark.parametrize("xi", [0, -1, NAN, INF])
def test_xi_is_a_positive_number(xi):
    """The virtual step is positive and finite."""
    with pytest.raises(ConfigError, match=r"^xi: expected a number above 0"):
        SearchConfig(xi=xi, order="second_order")


@pytest.mark.parametrize(
    "extreme",
    [
        {"epochs": 1, "batch_size": 2, "init_channels": 2, "num_cells": 3},
        {"seed": 0},
        {"seed": 2**31 - 1},
        {"image_size": 8, "max_images": 2},
        {"learning_rate": 0.001, "learning_rate_min": 0.001},
        {"learning_rate_min": 0, "momentum": 0, "weight_decay": 0, "alpha_init_std": 0},
        {"alpha_betas": (0, 0), "alpha_weight_decay": 0},
        {"xi": 1e-9, "order": "second_order"},
        {"epsilon": 1e-9, "order": "second_order"},
    ],
)
def test_values_at_the_ends_of_their_ranges_are_taken(extreme):
    """What can work is allowed."""
    config = SearchConfig(**extreme)
    assert {name: getattr(config, name) for name in extreme} == extreme


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate_min": 0.1}, "learning_rate_min: expected at most `learning_rate` 0.025"),
        ({"xi": 0.1}, "xi: has no effect in first order; add `order` second_order"),
        ({"epsilon": 0.1}, "epsilon: has no effect in first order; add `order` second_order"),
        ({"precision": "bf16", "order": "second_order"}, "precision: found bf16, but second_order"),
        ({"monitor": "margin+ margin"}, "monitor: margin is given twice; give it once"),
        ({"stop": "a,b=1+a,b=1"}, "stop: a,b=1 is given twice; give it once"),
        ({"out": ""}, "out: expected the path of a directory, found ''"),
        ({"compile": "reduce-overhead"}, "compile: reduce-overhead is for training only"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    """A setting that would be ignored is an error that says what to do."""
    with pytest.raises(ConfigError) as error:
        SearchConfig(**settings)
    assert message in str(error.value)
