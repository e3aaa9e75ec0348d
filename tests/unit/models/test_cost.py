"""Costs of decoded networks: golden numbers, and the networks themselves."""

import pytest
import torch

from nas.config.network_size import NetworkSize
from nas.models import random_genotype
from nas.models.cost import _count_operator, count_costs, evaluation_cost
from nas.operators import resolve
from nas.operators.contract import OperatorSize
from nas.space import load_space
from tests.golden import fill
from tests.golden.test_darts import close
from tests.unit.search.test_terms import filled

GOLDEN = fill.load("methods_regularised.json")["cost"]
TINY = NetworkSize(4, 3)


def table_of(space, quantity="madds", shape=(3, 32, 32), size=TINY):
    space = load_space(space)
    resolve(space)
    return count_costs(quantity, space, shape, 10, size)


@pytest.mark.parametrize("case", GOLDEN["operator_madds"])
def test_madds_of_operators(case):
    """Exactly those of the reference, at each size and stride."""
    size = OperatorSize(case["channels"], case["stride"], case["size"], case["size"])
    names = [name for name in case if name not in ("channels", "size", "stride")]
    assert {name: _count_operator(name, size)[1] for name in names} == {
        name: case[name] for name in names
    }


@pytest.mark.parametrize("case", GOLDEN["expected_madds"])
def test_expected_madds_at_the_softmax(case):
    """With softmax(alpha) as chances: the value, its parts cell by cell, and all gradients."""
    table = table_of("darts", size=NetworkSize(case["init_channels"], case["num_cells"]))
    alphas = filled(table.space, case)
    expected = table.expected({group: alphas.softmax(group) for group in alphas.groups})
    assert table.fixed == case["fixed_madds"]
    close(expected, case["expected_madds"])
    close(expected - table.fixed, case["expected_madds_of_edges"])
    of_cells = [(alphas.softmax(group) * cost).sum() for group, cost in table.cells]
    close(torch.stack(of_cells), case["expected_madds_per_cell"])
    expected.backward()
    close(alphas.normal.grad, case["grad_normal"])
    close(alphas.reduce.grad, case["grad_reduce"])
    assert sum(cost.sum() for _, cost in table.cells) == case["all_operators_at_weight_1"]


@pytest.mark.parametrize(("space", "quantity"), [("darts", "parameters"), ("mixed_edges", "madds")])
def test_a_genotype_costs_what_its_network_does(space, quantity):
    """The sum over the table is the count of the whole network, also at odd sizes."""
    table = table_of(space, quantity, (3, 27, 33))
    genotype = random_genotype(table.space, 3)
    counted = evaluation_cost(genotype, (3, 27, 33), 10, TINY)
    assert table.of(genotype) == counted[("parameters", "madds").index(quantity)]


def test_bounds_are_reached_and_never_crossed():
    """By hand: node 2 of both cells has all its edges kept, and the extremes are on them."""
    table = table_of("darts")
    low, high = table.bounds()
    costs = [table.of(random_genotype(table.space, seed)) for seed in range(50)]
    assert low < min(costs) and max(costs) < high
    # Free operators everywhere: pooling.
    assert low == table.fixed
    sep = table.space.primitives.index("sep_conv_5x5")
    dearest = 0.0
    for group, cost in table.by_group.items():
        for target in range(2, 6):
            edges = sorted(cost[table.space.incoming(target), sep].tolist())
            dearest += sum(edges[-2:])
        assert group in ("normal", "reduce")
    assert high == table.fixed + dearest
