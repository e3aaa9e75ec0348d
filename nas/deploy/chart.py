"""The picture of a benchmark: a bar for the median of each network and engine, with its p95."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLOURS = {
    "eager": "#999999",
    "compiled": "#555555",
    "onnx_fp32": "#0055A4",
    "onnx_int8": "#CC3311",
    "onnx": "#009988",
}


def latency_chart(rows: Sequence[Any]) -> Figure:
    """Draw horizontal bars: a panel a number of threads, in it a group of bars a network.

    Args:
        rows: Those of `nas.deploy.benchmark`.
    """
    panels = list(dict.fromkeys(row.num_threads for row in rows))
    height = 1 + 0.3 * len(rows) / len(panels)
    figure = Figure(figsize=(4 + 5 * len(panels), height), dpi=110, layout="constrained")
    for index, num_threads in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), index + 1)
        _panel(axes, [row for row in rows if row.num_threads == num_threads], index == 0)
        axes.set_title(f"latency at batch 1, threads: {num_threads}")
    return figure


def _panel(axes: Axes, rows: Sequence[Any], is_first: bool) -> None:
    models = list(dict.fromkeys(row.model for row in rows))
    engines = list(dict.fromkeys(row.engine for row in rows))
    height = 0.8 / len(engines)
    for engine in engines:
        found = [row for row in rows if row.engine == engine]
        offset = height * (engines.index(engine) + 0.5) - 0.4
        places = [models.index(row.model) + offset for row in found]
        medians = [row.latency.median_ms for row in found]
        above = [max(0.0, row.latency.p95_ms - row.latency.median_ms) for row in found]
        errors = [[0.0] * len(found), above]
        style = {"color": _COLOURS[engine], "ecolor": "#333333", "label": engine}
        bars = axes.barh(places, medians, height, xerr=errors, **style)
        labels = [f"{median:.1f}" for median in medians]
        axes.bar_label(bars, labels, label_type="center", fontsize=8, color="white")
    axes.set_yticks(range(len(models)), models if is_first else [], fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds; bar: median, line: up to the 95th percentile")
    axes.legend(loc="lower right", fontsize=8)
