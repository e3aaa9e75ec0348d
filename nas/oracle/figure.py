"""The regret of searches over their epochs, as a picture."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.oracle.chance import best_of
from nas.oracle.judge import Judged
from nas.oracle.table import Table
from nas.report.cells.labels import printable
from nas.report.figures.axes import label_panel, panel_figure, plot_epochs
from nas.report.figures.style import REFERENCE

_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")  # Tol's "bright"
_MARKERS = ("o", "s", "^", "v", "D", "P")
_WIDTH, _COLUMNS = 15.0, 4
"""Of a figure with a panel for each group, in inches."""
_BUDGETS = (1, 10)
"""The best of k random architectures is a line for each k."""


def regret_figure(table: Table, judged: Sequence[Judged]) -> Figure | None:
    """Draw regret over epochs: a line for each search, a color or a panel for each group.

    Args:
        table: The accuracies.
        judged: What was looked up; architectures have no epochs and are not drawn.

    Returns:
        The figure; None where no search has an epoch.
    """
    runs = [one for one in judged if one.epochs]
    if not runs:
        return None
    groups = list(dict.fromkeys(run.group for run in runs))
    title = f"regret on {printable(table.dataset, 40)}"
    if len(groups) <= len(_COLORS):
        figure = Figure(figsize=(7.5, 4.6), dpi=130, layout="constrained")
        axes = figure.add_subplot()
        for run in runs:
            _draw_run(axes, run, groups.index(run.group), printable(run.group, 60))
        _draw_chance(axes, table)
        _label(axes, title)
        _name_lines(axes)
        return figure
    figure, panels = panel_figure(_WIDTH, _COLUMNS, len(groups), title)
    for axes, group in zip(panels, groups, strict=True):
        for run in runs:
            if run.group == group:
                _draw_run(axes, run, 0, "a search")
        _draw_chance(axes, table)
        _label(axes, printable(group, 60))
        axes.title.set_parse_math(False)
    lines = panels[0].get_legend_handles_labels()
    figure.legend(*lines, loc="upper right", ncols=3, frameon=False)
    top = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, top)
    return figure


def _draw_run(axes: Axes, run: Judged, place: int, label: str) -> None:
    """Draw a search in the look of its group; a label is given to one line."""
    look = {
        "color": _COLORS[place % len(_COLORS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linewidth": 1.5,
    }
    is_named = label in axes.get_legend_handles_labels()[1]
    epochs = [verdict.epoch for verdict in run.epochs]
    regrets = [verdict.place.regret for verdict in run.epochs]
    plot_epochs(axes, epochs, regrets, None if is_named else label, look)


def _draw_chance(axes: Axes, table: Table) -> None:
    for budget, dashes in zip(_BUDGETS, ((4, 3), (1, 2)), strict=True):
        chance = best_of(table.ordered, budget)
        text = "a random cell, median" if budget == 1 else f"best of {budget} random cells, median"
        line = axes.axhline(table.best - chance.median, label=text, **REFERENCE)
        line.set_dashes(dashes)


def _label(axes: Axes, title: str) -> None:
    # Dead cells are 80 points away; below one point a straight scale lets them be told apart.
    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:g}")
    label_panel(axes, title, "points below the best cell", legend=False)


def _name_lines(axes: Axes) -> None:
    for entry in axes.legend(fontsize=9).get_texts():
        entry.set_parse_math(False)
