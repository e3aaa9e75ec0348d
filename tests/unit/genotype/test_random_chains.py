"""Random networks at a budget: uniform among those that meet it, and near it."""

import random
import re
from collections import Counter
from itertools import product

import pytest

from nas.errors import ConfigError
from nas.genotype import random_chain
from nas.genotype.random_chains import Budget, RandomChains
from nas.space import load_chain_space
from nas.space.blocks import Candidate
from nas.space.chain import ChainSpace, Stage, Stem
from nas.space.chain_cost import count_chain

SPACE = load_chain_space("mobilenext_chain")
MADDS = count_chain("madds", SPACE)
TINY = ChainSpace(
    "tiny",
    Stem(16, 2),
    (),
    (
        Stage(32, 1, (1, 2, 3), tuple(Candidate("sandglass", 2, k) for k in (3, 5, 7))),
        Stage(64, 2, (1, 2), tuple(Candidate("sandglass", t) for t in (2, 4))),
    ),
    (),
    image_size=32,
)


def networks(space):
    """List all networks of a space."""
    rows = [
        [
            names
            for depth in stage.depths
            for names in product(*(list(layer.blocks) for layer in space.layers_of(n)[:depth]))
        ]
        for n, stage in enumerate(space.stages)
    ]
    return list(product(*rows))


@pytest.mark.parametrize("place", ["cheap", "middle", "dear", "anywhere"])
def test_the_draw_is_uniform(place):
    """Chi-squared of 40 draws a network on a chain whose networks can be listed."""
    costs = count_chain("madds", TINY)
    everything = networks(TINY)
    low, high = costs.bounds()
    tolerance = 0.35 if place == "cheap" else 0.1
    target = {"cheap": low * 1.4, "middle": (low + high) / 2, "dear": high / 1.05}.get(place)
    meeting = [
        stages
        for stages in everything
        if target is None or abs(costs.of(stages) / target - 1) <= tolerance
    ]
    assert len(everything) == TINY.num_networks and 5 < len(meeting) <= len(everything)
    budgets = {} if target is None else {"madds": Budget(costs, target)}
    chains, generator = RandomChains(TINY, budgets, tolerance), random.Random(0)
    drawn = Counter(chains.draw(generator) for _ in range(40 * len(meeting)))
    assert set(drawn) <= set(meeting)
    freedom = len(meeting) - 1
    chi_squared = sum((drawn[stages] - 40) ** 2 / 40 for stages in meeting)
    # Mean `freedom`, variance 2 * `freedom`: five standard deviations on both sides.
    assert abs(chi_squared - freedom) < 5 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("target", [152e6, 200e6, 300e6, 590e6])
def test_a_budget_is_met(target):
    """Within 3 %, also near the ends of the space, where one network in millions is."""
    costs = [
        random_chain(SPACE, seed, {"madds": Budget(MADDS, target)}).count("madds")
        for seed in (0, 1)
    ]
    assert all(abs(cost / target - 1) <= 0.03 for cost in costs)


def test_a_seed_is_one_network():
    budgets = {"madds": Budget(MADDS, 300e6)}
    first, again, other = (random_chain(SPACE, seed, budgets) for seed in (0, 0, 1))
    assert first == again != other
    assert first.search == {"method": "random", "seed": 0, "budgets": {"madds": 300e6}}


def test_two_budgets_are_met_together():
    budgets = {
        "madds": Budget(MADDS, 300e6),
        "parameters": Budget(count_chain("parameters", SPACE), 3.4e6),
    }
    chain = random_chain(SPACE, 0, budgets)
    assert abs(chain.count("madds") / 300e6 - 1) <= 0.03
    assert abs(chain.count("parameters") / 3.4e6 - 1) <= 0.03


@pytest.mark.parametrize("target", [100e6, 700e6])
def test_a_budget_outside_of_the_space_is_refused(target):
    """The message says the ends of the space."""
    with pytest.raises(ConfigError, match="have 149092224 to 609896064; choose a number in th"):
        random_chain(SPACE, 0, {"madds": Budget(MADDS, target)})


def test_budgets_that_no_network_meets(monkeypatch):
    """Both are inside the space, but not together."""
    monkeypatch.setattr("nas.genotype.random_chains.MAX_DRAWS", 300)
    budgets = {
        "madds": Budget(MADDS, 160e6),
        "parameters": Budget(count_chain("parameters", SPACE), 6e6),
    }
    with pytest.raises(ConfigError, match="were not within 3% of") as error:
        random_chain(SPACE, 0, budgets)
    # The advice of the message can be followed.
    advice = re.search(r"madds=([\d.e+]+)\+parameters=([\d.e+]+)", str(error.value))
    for budget, value in zip(budgets, advice.groups(), strict=True):
        budgets[budget] = Budget(budgets[budget].costs, float(value))
    monkeypatch.undo()
    assert random_chain(SPACE, 0, budgets)
