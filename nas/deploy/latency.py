"""Latency that compares: measured in turns, and drawn as bars."""

import statistics
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CALLS_A_TURN = 5
"""Timed calls of a candidate in a row; the first calls of a turn warm caches and threads."""
_WARM_UP = 2
_MAX_LINE = 48
"""Characters of a line of a network's name, which may be a long path."""
_COLORS = {
    "eager": "#999999",
    "compiled": "#555555",
    "onnx_fp32": "#0055A4",
    "onnx_int8": "#CC3311",
    "onnx": "#009988",
}


@dataclass(frozen=True)
class Latency:
    """How long one call takes."""

    num_calls: int
    median_ms: float
    p95_ms: float
    min_ms: float


@dataclass(frozen=True)
class Row:
    """One network in one engine."""

    model: str
    engine: str
    num_threads: int
    image_size: int
    latency: Latency
    """At batch 1."""
    images_per_s: float
    """At the batch size of the settings, from the median."""
    size_bytes: int | None


def time_calls(
    calls: Mapping[str, Callable[[], object]],
    num_calls: int,
    between: Mapping[str, Callable[[], object]] = MappingProxyType({}),
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Latency]:
    """Time each candidate in turns of five calls, after two that are not counted.

    The candidates take turns so that a busy machine slows all of them.

    Args:
        calls: The candidates by name.
        num_calls: Timed calls of each, rounded up to whole turns.
        between: What runs before each call of a candidate, and is not timed.
        clock: Returns seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(-(-num_calls // CALLS_A_TURN)):
        for name, call in calls.items():
            other = between.get(name, _nothing)
            for _ in range(_WARM_UP):
                call()
            for _ in range(CALLS_A_TURN):
                other()
                start = clock()
                call()
                times[name].append(1e3 * (clock() - start))
    return {
        name: Latency(
            num_calls=len(measured),
            median_ms=statistics.median(measured),
            p95_ms=float(np.percentile(measured, 95)),
            min_ms=min(measured),
        )
        for name, measured in times.items()
    }


def _nothing() -> None:
    """Run nothing between calls."""


def latency_chart(rows: Sequence[Row]) -> Figure:
    """Draw a bar for the median of each network and engine, with a line up to its p95.

    Each number of threads has a panel, each network a group of bars.
    """
    panels = list(dict.fromkeys(row.num_threads for row in rows))
    height = 1 + 0.3 * len(rows) / len(panels)
    figure = Figure(figsize=(4 + 5 * len(panels), height), dpi=110, layout="constrained")
    for index, num_threads in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        _panel(axes, [row for row in rows if row.num_threads == num_threads], index == 0)
        axes.set_title(f"latency at batch 1, threads: {num_threads}")
    return figure


def _panel(axes: Axes, rows: Sequence[Row], is_first: bool) -> None:
    models = list(dict.fromkeys(row.model for row in rows))
    engines = list(dict.fromkeys(row.engine for row in rows))
    height = 0.8 / len(engines)
    for engine in engines:
        bars = [row for row in rows if row.engine == engine]
        offset = height * (engines.index(engine) + 0.5) - 0.4
        places = [models.index(row.model) + offset for row in bars]
        medians = [row.latency.median_ms for row in bars]
        above = [max(0.0, row.latency.p95_ms - row.latency.median_ms) for row in bars]
        drawn = axes.barh(
            places,
            medians,
            height,
            xerr=[[0.0] * len(bars), above],
            color=_COLORS[engine],
            ecolor="#333333",
            label=engine,
        )
        labels = [f"{median:.3g}" for median in medians]
        axes.bar_label(drawn, labels, label_type="center", fontsize=8, color="white")
    names = [textwrap.fill(model.replace(",", ", "), _MAX_LINE) for model in models]
    names = names if is_first else []
    axes.set_yticks(range(len(models)), names, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds; bar: median, line: up to the 95th percentile")
    axes.legend(loc="lower right", fontsize=8)
