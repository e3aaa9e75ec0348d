"""The regret of searches over their epochs, as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from nas.oracle.chance import best_of
from nas.oracle.judge import Judged
from nas.oracle.table import Table
from nas.report.cells.labels import printable
from nas.report.figures.axes import label_panel, plot_epochs
from nas.report.figures.style import REFERENCE

_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")  # Tol's "bright"
_MARKERS = ("o", "s", "^", "v", "D", "P")
_BUDGETS = (1, 10)
"""The best of k random architectures is a line for each k."""


def regret_figure(table: Table, judged: Sequence[Judged]) -> Figure | None:
    """Draw regret over epochs: a line for each search, a color for each group.

    Args:
        table: The accuracies.
        judged: What was looked up; architectures have no epochs and are not drawn.

    Returns:
        The figure; None where no search has an epoch.
    """
    runs = [one for one in judged if one.epochs]
    if not runs:
        return None
    figure = Figure(figsize=(7.5, 4.6), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    groups = list(dict.fromkeys(run.group for run in runs))
    named = set()
    for run in runs:
        place = groups.index(run.group)
        look = {
            "color": _COLORS[place % len(_COLORS)],
            "marker": _MARKERS[place % len(_MARKERS)],
            "linewidth": 1.5,
        }
        label = None if run.group in named else printable(run.group, 60)
        named.add(run.group)
        epochs = [verdict.epoch for verdict in run.epochs]
        plot_epochs(axes, epochs, [verdict.place.regret for verdict in run.epochs], label, look)
    for budget, dashes in zip(_BUDGETS, ((4, 3), (1, 2)), strict=True):
        chance = best_of(table.ordered, budget)
        text = "a random cell, median" if budget == 1 else f"best of {budget} random cells, median"
        line = axes.axhline(table.best - chance.median, label=text, **REFERENCE)
        line.set_dashes(dashes)
    # Dead cells are 80 points away; below one point a straight scale lets them be told apart.
    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:g}")
    title = f"regret on {printable(table.dataset, 40)}"
    label_panel(axes, title, "points below the best cell", legend=False)
    for entry in axes.legend(fontsize=9).get_texts():
        entry.set_parse_math(False)
    return figure
