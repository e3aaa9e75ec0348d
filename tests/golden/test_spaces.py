"""The spaces of Robust DARTS and the space without none against the authors' lists."""

import pytest

from nas.config import SearchConfig
from nas.errors import ConfigError
from nas.search import Method
from nas.space import CELL_TYPES, load_space
from tests.golden import fill

SPACES = fill.load("methods_regularised.json")["published"]["spaces"]


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4"])
def test_a_space_of_robust_darts(name):
    """Every edge has exactly the authors' primitives."""
    space = load_space(name)
    for cell_type in CELL_TYPES:
        expected = SPACES[name].get(cell_type, [SPACES[name].get("every_edge")] * 14)
        on_edges = getattr(space, cell_type)
        assert [set(on_edge) for on_edge in on_edges] == [set(edge) for edge in expected]
        assert [len(on_edge) for on_edge in on_edges] == [len(edge) for edge in expected]


def test_the_space_without_none():
    """That of DARTS, in its order, with none left out."""
    assert load_space("darts_no_none").primitives == load_space("darts").primitives[1:]


def test_noise_refuses_second_order():
    """The two passes of its finite difference would see different noise."""
    config = SearchConfig(space="s4", order="second_order")
    with pytest.raises(ConfigError, match=r"noise draws other numbers.*use first_order"):
        Method().check(config, load_space("s4"))
