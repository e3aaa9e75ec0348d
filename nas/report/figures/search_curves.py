"""The curves of a search over its epochs: losses, accuracies, entropy, skips, size, rate."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.records import pairs_left
from nas.report.cells.labels import printable
from nas.report.figures.axes import (
    count_epochs,
    from_zero,
    label_panel,
    measures_of,
    panel_figure,
    plot_epochs,
    plot_measures,
)
from nas.report.figures.style import FIRST, REFERENCE, SECOND, THIRD
from nas.space import Space


def curves_figure(records: Sequence[Mapping[str, Any]], space: Space) -> Figure:
    """Draw the curves of a search: two rows of three, and a panel for each further measure.

    Args:
        records: The metrics of the search.
        space: The space of the search; it gives the entropy of uniform weights.

    Returns:
        The figure; its axes in order: loss, accuracy, entropy, skip connections (of cells), size,
        learning rate, the measures in the order of the records, and last the multiply-adds, which
        share the panel of the size.
    """
    measures = measures_of(records)
    title = f"search in the space {printable(space.name, 60)}: {count_epochs(len(records))}"
    has_skips = "num_skips" in records[0]
    figure, panels = panel_figure(13, 3, 5 + has_skips + len(measures), title)
    loss, accuracy, entropy, *skips, size, rate = panels[: 5 + has_skips]
    others = panels[5 + has_skips :]
    epochs = [record["epoch"] for record in records]

    for axes, name, unit in ((loss, "loss", "nats"), (accuracy, "accuracy", "%")):
        for half, look in (("train", FIRST), ("val", SECOND)):
            plot_epochs(axes, epochs, [record[f"{half}_{name}"] for record in records], half, look)
        label_panel(axes, name, f"{name} ({unit})")
    for axes, key in ((entropy, "entropy"), *((panel, "num_skips") for panel in skips)):
        for group, look in zip(records[0][key], cycle((FIRST, SECOND, THIRD))):
            plot_epochs(axes, epochs, [record[key][group] for record in records], group, look)
    for index, values in enumerate(_uniform_entropies(records, space)):
        label = "uniform" if index == 0 else None
        if len(set(values)) == 1:
            entropy.axhline(values[0], label=label, **REFERENCE)
        else:  # a second stage has fewer operators
            entropy.plot(epochs, values, label=label, drawstyle="steps-mid", **REFERENCE)
    label_panel(entropy, "entropy of the architecture weights", "mean over edges (nats)")
    entropy.ticklabel_format(useOffset=False)
    for panel in skips:
        label_panel(panel, "skip connections of the current cells", "number")
        panel.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        from_zero(panel)

    plot_epochs(rate, epochs, [record["learning_rate"] for record in records], None, FIRST)
    label_panel(rate, "learning rate of the weights", "learning rate", legend=False)
    from_zero(rate)
    plot_measures(others, records, measures)
    plot_epochs(size, epochs, [record["num_parameters"] / 1e6 for record in records], None, FIRST)
    madds = size.twinx()
    plot_epochs(madds, epochs, [record["madds"] / 1e6 for record in records], None, SECOND)
    madds.spines["top"].set_visible(False)
    # The axes name their lines: a legend would cover the lines of the other axis.
    label_panel(size, "size of the current network", "parameters (millions), solid", legend=False)
    madds.set_ylabel("multiply-adds (millions), dashed", color=SECOND["color"])
    size.yaxis.label.set_color(FIRST["color"])
    return figure


def _uniform_entropies(
    records: Sequence[Mapping[str, Any]], space: Space
) -> list[tuple[float, ...]]:
    """Return ln(operators left on an edge), mean over edges, by epoch; once for equal groups."""
    groups = [group for group in space.groups if group in records[0]["entropy"]]
    return sorted({tuple(_uniform(record, group, space) for record in records) for group in groups})


def _uniform(record: Mapping[str, Any], group: str, space: Space) -> float:
    if "arch_weights" in record:
        counts = [sum(row) for row in pairs_left(record, group)]
    else:
        counts = [len(on_edge) for on_edge in space.groups[group]]
    return sum(math.log(count) for count in counts if count) / len(counts)
