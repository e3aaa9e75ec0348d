"""Networks of NAS-Bench-201 cells; tests/golden compares them with the benchmark's code."""

import pytest
import torch

from nas.errors import ConfigError
from nas.genotype import load_genotype
from nas.models.cost import evaluation_cost
from nas.models.nasbench201 import Nasbench201Network
from nas.models.random_genotype import random_genotype
from nas.operators import resolve
from nas.space import load_space

ALL_POOL = "|avg_pool_3x3~0|+|avg_pool_3x3~0|avg_pool_3x3~1|"


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"auxiliary": True}, "auxiliary_weight: .* no auxiliary"), ({"stem": "imagenet"}, "stem: ")],
)
def test_what_the_benchmark_does_not_have_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Nasbench201Network(load_genotype(ALL_POOL), **settings)


def test_the_cell_is_the_sum_of_its_paths():
    """Two nodes of pooling without padding effects: constant images stay c, then c + c."""
    net = Nasbench201Network(load_genotype(ALL_POOL), init_channels=2, num_cells=1)
    images = torch.full((1, 2, 4, 4), 3.0)
    assert torch.allclose(net.cells[0](images), 2 * images)


def test_random_cells_have_any_operator_on_every_edge():
    """Each of the five is drawn, `none` included, and a seed always gives the same cell."""
    space = load_space("nasbench201")
    resolve(space)
    cells = [random_genotype(space, seed) for seed in range(20)]
    assert cells[3] == random_genotype(space, 3)
    assert {name for cell in cells for name in cell.primitives} == set(space.primitives)
    assert {cell.family for cell in cells} == {"nasbench201"}


def test_costs_are_those_of_the_benchmark():
    """Source: facts about all 15,625 cells: fixed part + 243,040 n3 + 28,000 n1 parameters."""
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    parameters, madds = evaluation_cost(load_genotype(text), (3, 32, 32), 10)
    assert parameters == 73_306 + 2 * 243_040 + 28_000
    assert madds == 7_783_040 + 2 * 35_389_440 + 3_932_160
