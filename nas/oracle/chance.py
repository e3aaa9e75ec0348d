"""What chance reaches: the exact distribution of the best of k random architectures.

With n accuracies in order, x_1 <= ... <= x_n, and k architectures drawn uniformly, independently,

    P(best <= x_i) = (i / n)^k,    so    P(best = x_i) = (i / n)^k - ((i - 1) / n)^k,

from which mean and standard deviation follow as sums; nothing is simulated. The best is chosen by
the table itself: that is optimistic, since a real random search sees validation accuracies.
"""

from typing import NamedTuple

import numpy as np

BUDGETS = (1, 2, 5, 10, 20, 50, 100, 1000)
"""The numbers of random architectures that are shown."""
_MAX_BUDGET = 1 << 20


class Chance(NamedTuple):
    """The accuracy of the best of k random architectures."""

    budget: int
    """k."""
    mean: float
    """In percent."""
    std: float
    """In points, over repeated draws."""
    median: float
    """In percent."""


def best_of(ordered: np.ndarray, budget: int) -> Chance:
    """Return the distribution of the best of `budget` random architectures.

    Args:
        ordered: The accuracies of all architectures, lowest first, (n,).
        budget: k, 1 or more.
    """
    up_to = (np.arange(len(ordered) + 1) / len(ordered)) ** budget
    chances = np.diff(up_to)
    mean = float(chances @ ordered)
    variance = float(chances @ (ordered - mean) ** 2)
    median = float(ordered[np.searchsorted(up_to[1:], 0.5)])
    return Chance(budget, mean, variance**0.5, median)


def matching_budget(ordered: np.ndarray, accuracy: float) -> int | None:
    """Return the smallest k whose best has a mean of at least an accuracy; None if there is none.

    Args:
        ordered: The accuracies of all architectures, lowest first, (n,).
        accuracy: In percent.
    """
    if best_of(ordered, _MAX_BUDGET).mean < accuracy:
        return None
    low, high = 0, _MAX_BUDGET  # the mean grows with k
    while high - low > 1:
        middle = (low + high) // 2
        if best_of(ordered, middle).mean >= accuracy:
            high = middle
        else:
            low = middle
    return high
