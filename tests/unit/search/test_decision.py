"""What tells a decision from chance, on leads whose nature is known."""

import copy
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


def record(weights, alphas, **more):
    return {"arch_weights": weights, "alphas": alphas, **more}


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
            record(
                {group: [softmax(r) for r in rows] for group, rows in alphas.items()},
                copy.deepcopy(alphas),
            )
        )
    return records


def searched(space, leads, alphas=None):
    """Records in which the last operator of every edge leads all others by so much."""
    count = len(space.primitives)
    records = []
    for index, lead in enumerate(leads):
        rest = (1 - lead) / count
        alpha = float(alphas[index] if alphas else index + 1)
        table = [[*[rest] * (count - 1), rest + lead] for _ in space.edges]
        raw = [[alpha] * count for _ in space.edges]
        records.append(record({"normal": table}, {"normal": raw}))
    return records


@pytest.fixture
def nasbench201():
    space = load_space("nasbench201")
    resolve(space)
    return space


def test_a_lead_in_units_of_its_noise():
    """By hand: changes 3, 1, 2; their standard deviation is 1; 11 / (1 * sqrt(4))."""
    assert in_noise([5, 8, 9, 11]) == pytest.approx(11 / 2)
    assert in_noise([1, 4, 5]) is None
    assert in_noise([1, 1, 1, 1]) == 1e6
    assert in_noise([-1, -1, -1, -1]) == -1e6
    assert in_noise([0, 0, 0, 0]) == 0


@pytest.mark.parametrize("leads", [[0.3, 0.31, 0.3, 0.31, 0.305], [0.3] * 5])
def test_a_decision_of_the_first_epoch_that_stays_is_not_chance(nasbench201, leads):
    numbers = decision_numbers(searched(nasbench201, leads), nasbench201)
    assert numbers["normal"]["operator_margin"] > MIN_MARGIN
    assert chance_warning(numbers) is None


def test_epochs_in_which_the_alphas_rest_do_not_count(nasbench201):
    """A warm-up, and the start of a second stage."""
    leads = [0.1, 0.25, 0.3, 0.45, 0.4]
    expected = decision_numbers(searched(nasbench201, leads), nasbench201)
    alphas = [0, 0, 0, 1, 2, 2, 2, 3, 4, 5]
    resting = [0, 0, 0, 0.1, 0.25, 0.25, 0.25, 0.3, 0.45, 0.4]
    numbers = decision_numbers(searched(nasbench201, resting, alphas), nasbench201)
    assert numbers == expected
    few = decision_numbers(searched(nasbench201, resting[:7], alphas), nasbench201)
    assert set(few["normal"]) == {"entropy_share"}


def pruned(records, stage, keep):
    """The records of a search that keeps the last `keep` operators from epoch `stage` on."""
    for one in records[stage:]:
        for name, rows in ((name, one[name]["normal"]) for name in ("alphas", "arch_weights")):
            for row in rows:
                row[:-keep] = [0.0] * (len(row) - keep)
                if name == "arch_weights":
                    row[:] = [value / sum(row) for value in row]
    return records


@pytest.mark.parametrize(("drift", "is_chance"), [(0.0, True), (0.1, False)])
def test_removed_operators_do_not_count(nasbench201, drift, is_chance):
    """Two of five are left: their numbers are those of a search that had only two."""
    records = walk(nasbench201, 20, drift, seed=1)
    two = copy.deepcopy(records)
    for one in two:
        for name in ("alphas", "arch_weights"):
            one[name]["normal"] = [[None] * 3 + row[-2:] for row in one[name]["normal"]]
        for row in one["arch_weights"]["normal"]:
            row[-2:] = [value / sum(row[-2:]) for value in row[-2:]]
    expected = decision_numbers(two, nasbench201)["normal"]
    numbers = decision_numbers(pruned(records, 10, 2), nasbench201)
    assert numbers["normal"] == pytest.approx(expected)
    assert (chance_warning(numbers) is not None) == is_chance


def test_equal_weights_of_the_operators_left_have_all_the_entropy(nasbench201):
    records = pruned(searched(nasbench201, [0.0] * 5), 2, 3)
    numbers = decision_numbers(copy.deepcopy(records), nasbench201)
    assert numbers["normal"]["entropy_share"] == pytest.approx(1)
    assert "entropy 100.00 % of its maximum" in chance_warning(numbers)


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
        alphas = {group: [[lead] * 8 for _ in space.edges] for group in tables}
        records.append(record(tables, alphas, edge_weights=dict.fromkeys(tables, factors)))
    numbers = decision_numbers(records, space)["normal"]
    ours = 1.0 / (statistics.stdev([0.5, -0.1, 0.6]) * math.sqrt(4))
    # The edges of the other two nodes that drop some are equal, without a lead.
    assert numbers["edge_margin"] == statistics.median([ours, 0, 0])


def test_records_of_older_runs_have_no_numbers():
    assert decision_numbers([{"epoch": 0}], load_space("darts")) == {}
    assert chance_warning({}) is None
