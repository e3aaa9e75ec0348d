"""The picture of a benchmark: a bar for the median of each network and engine, with its p95."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

_COLOURS = {
    "eager": "#BBBBBB",
    "compiled": "#777777",
    "onnx_fp32": "#0055A4",
    "onnx_int8": "#CC3311",
    "onnx": "#009988",
}


def latency_chart(rows: Sequence[Any], title: str) -> Figure:
    """Draw horizontal bars, one group a network.

    Args:
        rows: Those of `nas.deploy.benchmark`.
        title: Says what was measured.
    """
    models = list(dict.fromkeys(row.model for row in rows))
    engines = list(dict.fromkeys(row.engine for row in rows))
    height = 0.8 / len(engines)
    figure = Figure(figsize=(9, 1 + 0.3 * len(rows)), dpi=110, layout="constrained")
    axes = figure.subplots()
    for row in rows:
        latency = row.latency
        place = models.index(row.model) + height * (engines.index(row.engine) + 0.5) - 0.4
        above = max(0.0, latency.p95_ms - latency.median_ms)
        is_first = row is next(other for other in rows if other.engine == row.engine)
        axes.barh(
            place,
            latency.median_ms,
            height,
            xerr=[[0], [above]],
            color=_COLOURS[row.engine],
            ecolor="#333333",
            label=row.engine if is_first else None,
        )
        axes.text(0, place, f" {latency.median_ms:.1f}", va="center", fontsize=8, color="black")
    axes.set_yticks(range(len(models)), models, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds; bar: median, line: up to the 95th percentile")
    axes.set_title(title, parse_math=False)
    axes.legend(loc="lower right")
    return figure
