"""Panels over epochs: their lines, labels and ranges."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from nas.report.cells.labels import distinct
from nas.report.figures.style import FIRST, SECOND, THIRD

_MAX_MARKERS = 15
_MAX_NAMED = 6
"""Lines of a panel that a legend can name."""
_GUARD = {
    "edge_margin": "margin: kept against dropped edge",
    "operator_margin": "margin: best against second operator",
    "parameter_free": "share of parameter-free operators",
    "max_weight": "largest weight of an edge",
}
"""Titles of the numbers of the collapse guard."""


def spaced_figure(width: float, height: float) -> Figure:
    """Return a figure, sizes in inches, with room between its panels."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=130, layout=layout)


def panel_figure(width: float, columns: int, count: int, title: str) -> tuple[Figure, list[Axes]]:
    """Return a figure, its width in inches, with a title and panels row by row.

    Margins are fixed: a layout engine takes longer than all the drawing.
    """
    rows = -(-count // columns)
    height = 3.5 * rows
    figure = Figure(figsize=(width, height), dpi=130)
    figure.suptitle(title, fontsize=14, y=1 - 0.15 / height, parse_math=False)
    # In inches; a panel may have an axis with labels on either side.
    side, bottom, top, column_gap, row_gap = 0.95, 0.55, 0.8, 1.6, 0.9
    panel_width = (width - 2 * side - (columns - 1) * column_gap) / columns
    panel_height = (height - bottom - top - (rows - 1) * row_gap) / rows
    figure.subplots_adjust(
        left=side / width,
        right=1 - side / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=column_gap / panel_width,
        hspace=row_gap / panel_height,
    )
    return figure, [figure.add_subplot(rows, columns, 1 + place) for place in range(count)]


def plot_epochs(
    axes: Axes,
    epochs: Sequence[int],
    values: Sequence[float],
    label: str | None,
    look: Mapping[str, Any],
) -> None:
    """Plot values over epochs; markers only where they do not merge into a band."""
    marker = look["marker"] if len(epochs) <= _MAX_MARKERS else None  # one epoch needs one
    size = 7 if look is SECOND else 4  # the second is an open square around an equal first
    axes.plot(epochs, values, label=label, markersize=size, **{**look, "marker": marker})
    if len(epochs) == 1 and len(axes.lines) == 1:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)


def plot_key(
    axes: Axes,
    records: Sequence[Mapping[str, Any]],
    key: str,
    label: str | None,
    look: Mapping[str, Any],
    over: str = "epoch",
) -> None:
    """Plot the values of one key, from the records that have it; nothing where none has."""
    having = [record for record in records if key in record]
    if having:
        epochs, values = zip(*((record[over], record[key]) for record in having), strict=True)
        plot_epochs(axes, epochs, values, label, look)


def label_panel(axes: Axes, title: str, unit: str, legend: bool = True) -> None:
    """Give a panel over epochs its title, its labels, its grid and its legend."""
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(fontsize=9)


def from_zero(axes: Axes) -> None:
    """Start the axis at 0, with room for a line at the bottom or at the top."""
    top = max(float(np.max(line.get_ydata())) for line in axes.lines) or 1.0
    axes.set_ylim(-0.03 * top, 1.06 * top)


def count_epochs(count: int) -> str:
    """Write a number of epochs with its noun."""
    return "1 epoch" if count == 1 else f"{count} epochs"


def measures_of(records: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the panels of all further numbers in records, each with the names of its lines.

    They appear in the order of the records: `measures`, where NAME/LINE is a line of the panel
    NAME; the numbers of the collapse guard, with a line for each group; and the extra architecture
    parameters, with a line for each entry.
    """
    panels: dict[str, list[str]] = {}
    for record in records:
        for panel, line in _further_numbers(record):
            lines = panels.setdefault(panel, [])
            if line not in lines:
                lines.append(line)
    return panels


def plot_measures(
    panels: Sequence[Axes],
    records: Sequence[Mapping[str, Any]],
    measures: Mapping[str, Sequence[str]],
) -> None:
    """Draw each measure into a panel, at the epochs that have it.

    Args:
        panels: As many as measures.
        records: One for each epoch.
        measures: From `measures_of`; untrusted text.
    """
    numbers = [_further_numbers(record) for record in records]
    titles = distinct(list(measures), 40)
    for axes, (name, lines), title in zip(panels, measures.items(), titles, strict=True):
        labels = distinct(lines, 20)
        for line, label, look in zip(lines, labels, cycle((FIRST, SECOND, THIRD))):
            points = [
                {"epoch": record["epoch"], "value": values_of[name, line]}
                for record, values_of in zip(records, numbers, strict=True)
                if (name, line) in values_of
            ]
            plot_key(axes, points, "value", label, look)
        label_panel(axes, title, "", legend=1 < len(lines) <= _MAX_NAMED)
        axes.title.set_parse_math(False)
        if axes.legend_ is not None:
            for text in axes.legend_.get_texts():
                text.set_parse_math(False)


def _further_numbers(record: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the numbers of a record that have no fixed panel, by panel and line."""
    numbers: dict[tuple[str, str], float] = {}
    for name, value in record.get("measures", {}).items():
        panel, _, line = name.rpartition("/")
        numbers[(panel, line) if panel else (line, "")] = value
    for name, by_group in record.get("collapse", {}).items():
        numbers |= {(_GUARD.get(name, name), group): value for group, value in by_group.items()}
    for name, values in record.get("extra_alphas", {}).items():
        flat = np.ravel(values).tolist()
        numbers |= {(f"raw {name}", str(index)): value for index, value in enumerate(flat)}
    return numbers
