"""What tells a decision from chance, on leads whose nature is known."""

import math
import random
import statistics

import pytest

from nas.operators import resolve
from nas.search.decision import (
    MIN_MARGIN,
    chance_warning,
    decision_numbers,
    entropy_share,
    in_noise,
)
from nas.space import load_space


def record(weights, **more):
    return {"arch_weights": weights, **more}


def softmax(row):
    raised = [math.exp(value) for value in row]
    return [value / sum(raised) for value in raised]


def walk(space, epochs, drift, seed, noise=0.05):
    """Records of alphas that take a random step an epoch; the last primitive also drifts."""
    generator = random.Random(seed)
    alphas = {
        group: [[generator.gauss(0, 1e-3) for _ in space.primitives] for _ in space.edges]
        for group in space.groups
    }
    records = []
    for _ in range(epochs):
        for rows in alphas.values():
            for row in rows:
                for column in range(len(row)):
                    row[column] += generator.gauss(0, noise)
                row[-1] += drift
        records.append(
            record({group: [softmax(r) for r in rows] for group, rows in alphas.items()})
        )
    return records


def test_a_gain_in_units_of_its_noise():
    """By hand: changes 3, 1, 2; their standard deviation is 1; 6 / (1 * sqrt(3))."""
    assert in_noise([1, 4, 5, 7]) == pytest.approx(6 / math.sqrt(3))
    assert in_noise([1, 4, 5]) is None
    assert in_noise([0, 1, 2, 3]) == 1e6
    assert in_noise([3, 2, 1, 0]) == -1e6
    assert in_noise([1, 1, 1, 1]) == 0


def test_the_entropy_is_a_share_of_its_maximum():
    """Over the pairs that exist, whatever the rows sum to; edges without a choice do not count."""
    assert entropy_share([[0.25, None, 0.25], [1.0, None, None]]) == pytest.approx(1)
    assert entropy_share([[1.0, 0.0]]) == 0
    expected = -(0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / math.log(2)
    assert entropy_share([[0.8, 0.2]]) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["darts", "nasbench201"])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_walk_is_chance_and_a_drift_is_not(name, seed):
    space = load_space(name)
    resolve(space)
    chance = decision_numbers(walk(space, 20, 0.0, seed), space)
    decided = decision_numbers(walk(space, 20, 0.1, seed), space)
    assert all(numbers["operator_margin"] < MIN_MARGIN for numbers in chance.values())
    assert all(numbers["operator_margin"] > MIN_MARGIN for numbers in decided.values())
    assert "drawn by lot" in chance_warning(chance)
    if name == "nasbench201":  # all edges drift by the same: the choice of edges is chance
        assert chance_warning(decided) is None
        assert "edge_margin" not in decided["normal"]
    else:
        assert "edges apart by" in chance_warning(decided)


def test_alphas_at_rest_are_chance_by_their_entropy():
    space = load_space("darts")
    resolve(space)
    numbers = decision_numbers(walk(space, 2, 0.0, 0, noise=1e-4), space)
    assert set(numbers["normal"]) == {"entropy_share"}
    line = chance_warning(numbers)
    assert "normal: entropy 100.00 % of its maximum" in line and "\n" not in line
    assert "`epochs`, `max_images` or `alpha_learning_rate`" in line


def test_the_margin_of_edges_is_that_of_the_last_kept_and_the_first_dropped():
    """Weights of whole edges count, and `none` does not."""
    space = load_space("darts")
    resolve(space)
    leads = [0.0, 0.5, 0.4, 1.0]
    records = []
    for lead in leads:
        rows = [[9.0, *[0.01] * 7] for _ in space.edges]  # `none` first, never decoded
        rows[2][3], rows[3][4], rows[4][5] = 1.0, 2.0, 3.0  # into node 3
        factors = [1.0] * 14
        factors[3] = (1.0 + lead) / 2  # kept with strength 1 + lead; edge 2 is dropped
        tables = {"normal": rows, "reduce": rows}
        records.append(record(tables, edge_weights=dict.fromkeys(tables, factors)))
    numbers = decision_numbers(records, space)["normal"]
    ours = 1.0 / (statistics.stdev([0.5, -0.1, 0.6]) * math.sqrt(3))
    # The edges of the other two nodes that drop some are equal, without a gain.
    assert numbers["edge_margin"] == statistics.median([ours, 0, 0])


def test_records_of_older_runs_have_no_numbers():
    assert decision_numbers([{"epoch": 0}], load_space("darts")) == {}
    assert chance_warning({}) is None
