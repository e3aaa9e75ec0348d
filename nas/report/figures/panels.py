"""What the panels of all curves have in common: looks of lines, labels, ranges."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

# Tol's "vibrant" colours: a set that every reader can tell apart; the dashes and the markers say
# the same once more, for print in grey.
FIRST = {"color": "#0077BB", "linestyle": "-", "marker": "o"}
SECOND = {"color": "#EE7733", "linestyle": "--", "marker": "s", "markerfacecolor": "none"}
THIRD = {"color": "#009988", "linestyle": "-.", "marker": "^"}
REFERENCE = {"color": "#777777", "linestyle": ":", "linewidth": 1.0}

_MAX_MARKERS = 15


def plot_epochs(
    axes: Axes,
    epochs: Sequence[int],
    values: Sequence[float],
    label: str | None,
    look: dict[str, Any],
) -> None:
    """Plot values over epochs; markers only where they do not merge into a band."""
    marker = look["marker"] if len(epochs) <= _MAX_MARKERS else None  # one epoch needs one
    size = 7 if look is SECOND else 4  # the second is an open square around an equal first
    axes.plot(epochs, values, label=label, markersize=size, **{**look, "marker": marker})
    if len(epochs) == 1 and len(axes.lines) == 1:
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)


def plot_key(
    axes: Axes, records: Sequence[dict[str, Any]], key: str, label: str | None, look: dict[str, Any]
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
    """Let the axis begin at 0, with room for a line that lies on it or at the top."""
    top = max(max(line.get_ydata()) for line in axes.lines) or 1.0
    axes.set_ylim(-0.03 * top, 1.06 * top)


def count_epochs(count: int) -> str:
    """Write a number of epochs with its noun."""
    return "1 epoch" if count == 1 else f"{count} epochs"
