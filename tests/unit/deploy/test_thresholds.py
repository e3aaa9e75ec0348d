"""The three rules that choose a range, against what can be computed by hand."""

import math

import numpy as np
import pytest

from nas.deploy import thresholds
from nas.deploy.thresholds import Histogram, entropy_range, minmax_range, percentile_range

B = thresholds.NUM_BINS


def histogram(values, num_bins=B):
    """As a calibration makes it."""
    values = np.asarray(values, dtype=np.float64)
    largest = abs(values).max()
    counts, _ = np.histogram(values, 2 * num_bins, (-largest, largest))
    return Histogram(values.min(), values.max(), counts)


def folded(found):
    """The counts of |x|, the first bin as its neighbour."""
    half = len(found.counts) // 2
    counts = [int(found.counts[half + i] + found.counts[half - 1 - i]) for i in range(half)]
    return [counts[1], *counts[1:]]


def divergence(counts, size, num_levels):
    """KL(P || Q) by the loops of the slides: clip, divide into levels, spread, compare."""
    p = [float(count) for count in counts[:size]]
    p[-1] += sum(counts[size:])
    if not any(counts[:size]):
        return math.inf
    q = [0.0] * size
    for level in range(num_levels):
        bins = range(level * size // num_levels, (level + 1) * size // num_levels)
        filled = [index for index in bins if p[index] > 0]
        for index in filled:
            q[index] = max(1, sum(counts[index] for index in bins)) / len(filled)
    total = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0:
            total += a / sum(p) * math.log((a / sum(p)) / (b / sum(q)))
    return total


KINDS = ["normal", "sparse", "clipped", "far from zero"]


def values_of(kind):
    generator = np.random.default_rng(0)
    return {
        "normal": generator.normal(size=20_000),
        "sparse": generator.exponential(size=300),  # most bins are empty
        "clipped": generator.normal(1, 2, size=5000).clip(0, 6),
        "far from zero": generator.uniform(2, 3, size=2000),
    }[kind]


@pytest.mark.parametrize("num_levels", [128, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_divergence_is_that_of_the_definition(kind, num_levels):
    """The running sums give what the loops give, for sizes that num_levels divides and others."""
    counts = folded(histogram(values_of(kind)))
    sizes = np.array([num_levels, num_levels + 1, 3 * num_levels - 1, 1537, B])
    expected = [divergence(counts, size, num_levels) for size in sizes]
    found = thresholds._divergences(np.array(counts, float), sizes, num_levels)
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("num_levels", [128, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_the_threshold_is_the_best_of_all(kind, num_levels):
    """From bin num_levels on, by the loops for each of 400 bins."""
    found = histogram(values_of(kind), 400)
    counts = folded(found)
    best = min(range(num_levels, 401), key=lambda size: divergence(counts, size, num_levels))
    threshold = best / 400 * found.largest
    expected = (min(0, max(found.lowest, -threshold)), min(found.highest, threshold))
    assert entropy_range(found, num_levels) == pytest.approx(expected)


def test_entropy_of_a_uniform_tensor_cuts_nothing():
    """Every bin is worth the same, so leaving some out can only tell less."""
    low, high = entropy_range(histogram(np.linspace(-3, 3, 2 * B * 20)))
    assert (low, high) == (-3, 3)


def test_entropy_cuts_what_is_far_and_rare():
    """A few values a hundred times as large as the others do not decide the step."""
    values = np.random.default_rng(0).normal(size=100_000)
    low, high = entropy_range(histogram([*values, 100.0, -80.0]))
    assert 4 < high < 10 and low == -high
    assert minmax_range(histogram([*values, 100.0, -80.0])) == (-80, 100)


def test_exact_zeros_do_not_count_for_entropy():
    """However many there are."""
    values = np.random.default_rng(0).normal(size=20_000).clip(0, None)
    more = np.concatenate([values, np.zeros(100_000)])
    assert entropy_range(histogram(values)) == entropy_range(histogram(more))


@pytest.mark.parametrize("rule", thresholds.RULES.values())
def test_a_tensor_of_zeros(rule):
    """Has the range 0 to 0, and divides nothing by nothing."""
    assert rule(Histogram(0.0, 0.0, np.zeros(2 * B, np.int64))) == (0, 0)


def test_entropy_of_a_tensor_with_one_value_keeps_it():
    """All but zeros in the last bin: every smaller range would hold nothing."""
    assert entropy_range(histogram([0.0] * 50 + [3.0] * 5)) == (0, 3)


def test_percentile_leaves_out_its_share_at_each_end():
    """Of 0 .. 99,999 in order, 99 % leaves out 500 at each end, up to the width of a bin."""
    low, high = percentile_range(histogram(np.arange(100_000) - 50_000.0), 99)
    width = 50_000 / B
    assert -49_500 - width <= low <= -49_500 and 49_500 <= high <= 49_500 + width


def test_percentile_of_everything_is_everything():
    """100 % is min-max."""
    values = histogram(np.random.default_rng(0).normal(size=1000))
    assert percentile_range(values, 100) == minmax_range(values)


@pytest.mark.parametrize("rule", thresholds.RULES.values())
def test_a_range_holds_zero_and_no_more_than_was_seen(rule):
    """Also of tensors that are all above or all below zero."""
    values = np.random.default_rng(0).uniform(2, 3, size=5000)
    low, high = rule(histogram(values))
    assert low == 0 and 2 < high <= values.max()
    low, high = rule(histogram(-values))
    assert high == 0 and -values.max() <= low < -2
