"""The curves of a search over its epochs: losses, accuracies, entropy, skips, size, rate."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.report.labels import printable
from nas.space import CELL_TYPES, SearchSpace

# Tol's "vibrant" blue and orange: a pair that every reader can tell apart; the dashes and the
# markers say the same once more, for print in grey.
_FIRST = {"color": "#0077BB", "linestyle": "-", "marker": "o"}
_SECOND = {"color": "#EE7733", "linestyle": "--", "marker": "s", "markerfacecolor": "none"}
_REFERENCE = {"color": "#777777", "linestyle": ":", "linewidth": 1.0}


def curves_figure(records: Sequence[dict[str, Any]], space: SearchSpace) -> Figure:
    """Draw the curves of a search as a figure of two rows of three.

    Args:
        records: What `read_metrics` returns.
        space: The space of the search; it gives the entropy of uniform weights.

    Returns:
        The figure; its axes in order: loss, accuracy, entropy, skip connections, size (with a
        second axis for the multiply-adds, which comes last), learning rate.
    """
    figure = Figure(figsize=(13, 7), dpi=130, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    title = f"search in the space {printable(space.name, 60)}: {_epochs(len(records))}"
    figure.suptitle(title, fontsize=14, parse_math=False)
    loss, accuracy, entropy, skips, size, rate = figure.subplots(2, 3).flat
    epochs = [record["epoch"] for record in records]

    for axes, name, unit in ((loss, "loss", "nats"), (accuracy, "accuracy", "%")):
        for part, look in (("train", _FIRST), ("val", _SECOND)):
            _plot(axes, epochs, [record[f"{part}_{name}"] for record in records], part, look)
        _label(axes, name, f"{name} ({unit})")
    for axes, key in ((entropy, "entropy"), (skips, "num_skips")):
        for cell_type, look in zip(CELL_TYPES, (_FIRST, _SECOND), strict=True):
            _plot(axes, epochs, [record[key][cell_type] for record in records], cell_type, look)
    for index, value in enumerate(_uniform_entropies(space)):
        entropy.axhline(value, label="uniform" if index == 0 else None, **_REFERENCE)
    _label(entropy, "entropy of the architecture weights", "mean over edges (nats)")
    entropy.ticklabel_format(useOffset=False)
    _label(skips, "skip connections of the current cells", "number")
    skips.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _from_zero(skips)

    _plot(size, epochs, [record["num_parameters"] / 1e6 for record in records], None, _FIRST)
    madds = size.twinx()
    _plot(madds, epochs, [record["madds"] / 1e6 for record in records], None, _SECOND)
    madds.spines["top"].set_visible(False)
    # The axes name their lines: a legend would lie on the lines of the other axis.
    _label(size, "size of the current network", "parameters (millions), solid", legend=False)
    madds.set_ylabel("multiply-adds (millions), dashed", color=_SECOND["color"])
    size.yaxis.label.set_color(_FIRST["color"])
    _plot(rate, epochs, [record["learning_rate"] for record in records], None, _FIRST)
    _label(rate, "learning rate of the weights", "learning rate", legend=False)
    _from_zero(rate)
    return figure


def _plot(axes: Axes, epochs: list[int], values: list[float], label: str | None, look: dict):
    # Markers only where they do not merge into a band; one epoch would be invisible without.
    marker = look["marker"] if len(epochs) <= 15 else None
    size = 4 if look is _FIRST else 7  # the second is an open square around an equal first
    axes.plot(epochs, values, label=label, markersize=size, **{**look, "marker": marker})
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)


def _label(axes: Axes, title: str, unit: str, legend: bool = True) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(fontsize=9)


def _from_zero(axes: Axes) -> None:
    """Let the axis begin at 0, with room for a line that lies on it or at the top."""
    top = max(max(line.get_ydata()) for line in axes.lines) or 1.0
    axes.set_ylim(-0.03 * top, 1.06 * top)


def _uniform_entropies(space: SearchSpace) -> list[float]:
    """Return ln(primitives on an edge), mean over edges, once where both cells agree."""
    return sorted(
        {
            sum(math.log(len(on_edge)) for on_edge in getattr(space, cell_type)) / space.num_edges
            for cell_type in CELL_TYPES
        }
    )


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
