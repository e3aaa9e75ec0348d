"""The curves of several runs over each other, with a row of panels for each kind of run."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nas.report.cells.labels import distinct
from nas.report.figures.axes import label_panel, plot_key, spaced_figure
from nas.report.run import Run

# Tol's "bright" scheme without its gray; dashes distinguish the runs after the sixth.
_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "v", "D", "P")

_PANELS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "search": (
        ("train_loss", "train loss of the supernet", "nats"),
        ("val_loss", "val loss of the supernet", "nats"),
        ("val_accuracy", "val accuracy of the supernet", "%"),
    ),
    "training": (
        ("train_loss", "train loss", "nats"),
        ("test_loss", "test loss", "nats"),
        ("test_accuracy", "test accuracy, top-1", "%"),
    ),
    "detection": (
        ("train_loss", "train loss", "loss of a matched prior"),
        ("test_map_11", "test mAP, 11 points", "%"),
        ("test_map_coco", "test mAP, COCO", "%"),
    ),
}


def comparison_figure(runs: Sequence[Run], names: Sequence[str]) -> Figure | None:
    """Draw the curves of several runs over each other.

    Args:
        runs: Searches, trainings or both, or detectors; each kind has a row of three panels.
        names: Their names in the legend; untrusted text.

    Returns:
        The figure, whose lines are labeled with the names; None where no run has an epoch.
    """
    looks = [_look(index) for index in range(len(runs))]
    drawn = [place for place, run in enumerate(runs) if run.metrics]
    kinds = [kind for kind in _PANELS if any(runs[place].kind == kind for place in drawn)]
    if not kinds:
        return None
    shown = distinct(names, 48)
    num_lines = (len(drawn) + 2) // 3
    figure = spaced_figure(13, 3.6 * len(kinds) + 0.3 * num_lines + 0.2)
    for row, kind in zip(figure.subplots(len(kinds), 3, squeeze=False), kinds, strict=True):
        over = "iteration" if kind == "detection" else "epoch"
        for axes, (key, title, unit) in zip(row, _PANELS[kind], strict=True):
            for place in drawn:
                if runs[place].kind == kind:
                    plot_key(axes, runs[place].metrics, key, shown[place], looks[place], over)
            label_panel(axes, title, unit, legend=False)
            axes.set_xlabel(over)
            _show_all(axes, [r[over] for run in runs if run.kind == kind for r in run.metrics])
    handles = [Line2D([], [], **looks[place]) for place in drawn]
    legend = figure.legend(
        handles,
        [shown[place] for place in drawn],
        loc="outside lower center",
        ncols=min(3, len(drawn)),
        frameon=False,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _look(index: int) -> Mapping[str, Any]:
    return {
        "color": _COLORS[index % len(_COLORS)],
        "linestyle": _DASHES[index // len(_COLORS) % len(_DASHES)],
        "marker": _MARKERS[index % len(_MARKERS)],
    }


def _show_all(axes: Axes, places: Sequence[int]) -> None:
    """Give all panels of a kind the same range of epochs or iterations."""
    margin = 0.03 * (max(places) - min(places)) or 0.5
    axes.set_xlim(min(places) - margin, max(places) + margin)
    if not axes.lines:
        axes.text(0.5, 0.5, "not measured yet", ha="center", transform=axes.transAxes)
