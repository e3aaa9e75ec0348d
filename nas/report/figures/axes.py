"""Panels over epochs: their lines, labels and ranges."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from nas.report.cells.labels import distinct
from nas.report.figures.style import FIRST, SECOND

_MAX_MARKERS = 15


def spaced_figure(width: float, height: float) -> Figure:
    """Return a figure, sizes in inches, with room between its panels."""
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=130, layout=layout)


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
) -> None:
    """Plot the values of one key, from the records that have it; nothing where none has."""
    having = [record for record in records if key in record]
    if having:
        epochs, values = zip(*((record["epoch"], record[key]) for record in having), strict=True)
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


def measures_of(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the further numbers in records, in the order in which they appear."""
    return list(dict.fromkeys(name for record in records for name in record.get("measures", {})))


def plot_measures(
    panels: Sequence[Axes], records: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> None:
    """Draw each measure into a panel, at the epochs that have it.

    Args:
        panels: As many as names.
        records: One for each epoch.
        names: Keys of `measures`; untrusted text.
    """
    titles = distinct(names, 40)
    for axes, name, title in zip(panels, names, titles, strict=True):
        values = [
            {"epoch": record["epoch"], name: record["measures"][name]}
            for record in records
            if name in record.get("measures", {})
        ]
        plot_key(axes, values, name, None, FIRST)
        label_panel(axes, title, "", legend=False)
        axes.title.set_parse_math(False)
