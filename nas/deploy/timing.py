"""Latency that compares: the candidates take turns, so that a busy machine slows all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

_CALLS_A_TURN = 5
"""Timed calls of a candidate in a row; the first calls of a turn warm caches and threads."""
_WARM_UP = 2


@dataclass(frozen=True)
class Latency:
    """How long one call takes."""

    num_calls: int
    median_ms: float
    p95_ms: float
    min_ms: float


def time_calls(calls: Mapping[str, Callable[[], object]], num_calls: int) -> dict[str, Latency]:
    """Time each candidate `num_calls` times, in turns of five after two that are not counted.

    Args:
        calls: The candidates by name.
        num_calls: Timed calls of each, rounded up to whole turns.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(-(-num_calls // _CALLS_A_TURN)):
        for name, call in calls.items():
            for _ in range(_WARM_UP):
                call()
            for _ in range(_CALLS_A_TURN):
                start = time.perf_counter()
                call()
                times[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: Latency(
            num_calls=len(found),
            median_ms=statistics.median(found),
            p95_ms=float(np.percentile(found, 95)),
            min_ms=min(found),
        )
        for name, found in times.items()
    }
