"""From a histogram of a tensor's values to the range that 8 bits shall cover (NumPy alone).

A `Histogram` has 2 B bins of equal width over [-a, a], a the largest absolute value seen, so that
zero is an edge and the halves fold onto each other for |x|.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 2048
"""B, bins of |x|."""
SIGNED_LEVELS, UNSIGNED_LEVELS = 128, 256
"""L, integers from 0 to the threshold: of 8 bits with a sign, and without one."""


@dataclass(frozen=True)
class Histogram:
    """What a calibration saw of one tensor."""

    lowest: float
    highest: float
    counts: NDArray[np.int64]
    """(2 B,), values in bins of equal width over [-a, a], a = max(-lowest, highest); where a is 0,
    nothing is counted."""

    @property
    def largest(self) -> float:
        """The largest absolute value, a."""
        return max(-self.lowest, self.highest)


Range = tuple[float, float]
"""The real values of the lowest and the highest integer; 0 is between them."""


def minmax_range(histogram: Histogram) -> Range:
    """Return everything that was seen."""
    return _clipped(histogram, -np.inf, np.inf)


def percentile_range(histogram: Histogram, percentile: float = 99.99) -> Range:
    """Leave out (100 - percentile) / 2 percent of the values at each end."""
    if not histogram.largest:
        return 0.0, 0.0
    left_out = (100 - percentile) / 200
    share = np.concatenate([[0], histogram.counts.cumsum() / histogram.counts.sum()])
    edges = np.linspace(-histogram.largest, histogram.largest, len(histogram.counts) + 1)
    # The range ends at the last edge that leaves out no more than it may.
    low = edges[np.searchsorted(share, left_out + 1e-12, side="right") - 1]
    high = edges[np.searchsorted(share, 1 - left_out - 1e-12)]
    return _clipped(histogram, low, high)


def entropy_range(histogram: Histogram, num_levels: int = SIGNED_LEVELS) -> Range:
    """Cut |x| where the quantized values differ least from the real ones (KL divergence).

    For every i from L to B, P is the histogram of |x| with all beyond bin i put into bin i, Q that
    of the first i bins after their division into L levels, each level's values spread evenly over
    its bins that are not empty. The threshold is the upper edge of the i that minimizes

        KL(P || Q) = sum over bins of P log(P / Q),

    Bin i may be empty before it gets what is beyond it. Its level is then spread over it too, and
    has one value where it had none, because the divergence would be infinite. It is infinite where
    the first i bins are all empty.

    Deviation: the slides know signed integers alone, L = 128. Where a tensor has no negative value
    and its integers are unsigned, L is `UNSIGNED_LEVELS`, and i begins there. And the first bin
    takes the count of the next bin: ReLU6 makes half of all values zero, integers represent
    zero exactly, and the divergence would be that of one bin. NVIDIA's own toolkits do both.

    Args:
        histogram: Of the tensor.
        num_levels: L.

    Source: Migacz, "8-bit Inference with TensorRT" (GTC 2017), the calibration of the paper's
    Table 4; levels and first bin: NVIDIA's pytorch-quantization, calib/histogram.py.
    """
    num_bins = len(histogram.counts) // 2
    counts = histogram.counts[num_bins:] + histogram.counts[:num_bins][::-1]
    counts = counts.astype(np.float64)
    counts[0] = counts[1]
    if counts.sum() == 0:
        return 0.0, 0.0
    sizes = np.arange(num_levels, num_bins + 1)
    best = sizes[np.argmin(_divergences(counts, sizes, num_levels))]
    threshold = best / num_bins * histogram.largest
    return _clipped(histogram, -threshold, threshold)


def _divergences(
    counts: NDArray[np.float64], sizes: NDArray[np.signedinteger], num_levels: int
) -> NDArray[np.float64]:
    """Return KL(P || Q) for each number of bins i in `sizes`, from running sums alone.

    Q is constant on the bins of a level that are not empty, so that with N all values, C_i those of
    Q, and for a level S values in n such bins,

        KL = sum of (p / N) log(p / N) - sum over levels of (sum of p / N) log(S / n / C_i),

    p being the counts of P: those of the histogram, and in bin i all beyond it as well.
    """
    before = np.concatenate([[0.0], counts.cumsum()])
    filled = np.concatenate([[0], (counts > 0).cumsum()])
    total = before[-1]
    outliers = total - before[sizes]
    last = counts[sizes - 1] + outliers
    own = np.concatenate([[0.0], _xlogx(counts / total).cumsum()])
    first_sum = own[sizes - 1] + _xlogx(last / total)
    # Level j of L holds the bins from floor(j i / L) to floor((j + 1) i / L), (I, L + 1).
    edges = np.arange(num_levels + 1)[None, :] * sizes[:, None] // num_levels
    values = np.diff(before[edges], axis=1)
    spread = np.diff(filled[edges], axis=1)
    mass = values / total
    mass[:, -1] += outliers / total
    is_new = (counts[sizes - 1] == 0) & (outliers > 0)
    spread[:, -1] += is_new
    added = is_new & (values[:, -1] == 0)
    values[:, -1] += added
    norm = before[sizes] + added
    with np.errstate(divide="ignore", invalid="ignore"):
        log_q = np.log(values / spread / norm[:, None])
    divergences = first_sum - np.where(mass > 0, mass * log_q, 0.0).sum(axis=1)
    return np.where(before[sizes] > 0, divergences, np.inf)


def _xlogx(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return p * np.log(np.where(p > 0, p, 1.0))


def _clipped(histogram: Histogram, low: float, high: float) -> Range:
    """Return a range no wider than what was seen, and with zero in it."""
    low, high = max(low, histogram.lowest), min(high, histogram.highest)
    return min(float(low), 0.0), max(float(high), 0.0)


RULES: dict[str, Callable[..., Range]] = {
    "entropy": entropy_range,
    "percentile": percentile_range,
    "minmax": minmax_range,
}
"""The calibrations by name."""
