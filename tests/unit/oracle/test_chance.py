"""The distribution of the best of k, against all n ** k draws one by one."""

import itertools

import numpy as np
import pytest

from nas.oracle.chance import best_of, matching_budget
from tests.unit.oracle.conftest import ACCURACIES

ORDERED = np.sort(ACCURACIES)


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
def test_the_best_of_k_is_that_of_all_possible_draws(budget):
    bests = np.sort([max(draw) for draw in itertools.product(ACCURACIES, repeat=budget)])
    chance = best_of(ORDERED, budget)
    assert chance.mean == pytest.approx(bests.mean(), rel=1e-12)
    assert chance.std == pytest.approx(bests.std(), rel=1e-12)
    assert chance.median == bests[(len(bests) - 1) // 2]


def test_a_closed_form():
    """Of n uniform numbers 1..n the mean of the best of two is (n + 1)(4 n - 1) / (6 n)."""
    n = 1000
    mean = best_of(np.arange(1, n + 1.0), 2).mean
    assert mean == pytest.approx((n + 1) * (4 * n - 1) / (6 * n), rel=1e-12)


def test_the_matching_budget_is_the_first_that_reaches_the_accuracy():
    for accuracy in (11.0, 50.0, 75.0, 79.999):
        k = matching_budget(ORDERED, accuracy)
        assert best_of(ORDERED, k).mean >= accuracy
        assert k == 1 or best_of(ORDERED, k - 1).mean < accuracy
    assert matching_budget(ORDERED, 80.5) is None
