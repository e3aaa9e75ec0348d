"""The curves of a training run over its epochs: losses, accuracies, learning rate, drop path."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from nas.report.cells.labels import printable
from nas.report.figures.axes import (
    count_epochs,
    from_zero,
    label_panel,
    measures_of,
    panel_figure,
    plot_epochs,
    plot_key,
    plot_measures,
)
from nas.report.figures.style import FIRST, SECOND, THIRD

_LOOKS = {"train": FIRST, "val": SECOND, "test": THIRD}


def training_figure(records: Sequence[Mapping[str, Any]], model: str) -> Figure:
    """Draw the curves of a training run: two rows of two, and a panel for each further measure.

    Args:
        records: The metrics of the training.
        model: The name of what is trained, for the title; untrusted text.

    Returns:
        The figure; its axes in order: loss, top-1 accuracy, top-5 accuracy, learning rate, the
        measures in the order of the records, and last, where there is one, the drop path
        probability, which shares the panel of the learning rate. A line has a point for each
        epoch after which its split was measured.
    """
    measures = measures_of(records)
    title = f"training of {printable(model, 60)}: {count_epochs(len(records))}"
    figure, panels = panel_figure(11, 2, 4 + len(measures), title)
    loss, top1, top5, rate, *others = panels
    plot_measures(others, records, measures)
    for axes, what, name, unit in (
        (loss, "loss", "loss", "nats"),
        (top1, "accuracy", "top-1 accuracy", "%"),
        (top5, "top5_accuracy", "top-5 accuracy", "%"),
    ):
        for split, look in _LOOKS.items():
            plot_key(axes, records, f"{split}_{what}", split, look)
        label_panel(axes, name, f"{name} ({unit})", legend=bool(axes.lines))
        if not axes.lines:
            axes.text(0.5, 0.5, "not measured yet", ha="center", transform=axes.transAxes)
    top5.set_xlim(loss.get_xlim())  # also where a split was measured once
    epochs = [record["epoch"] for record in records]
    plot_epochs(rate, epochs, [record["learning_rate"] for record in records], None, FIRST)
    from_zero(rate)
    if not all("drop_path_prob" in record for record in records):
        label_panel(rate, "learning rate", "learning rate", legend=False)
        return figure
    # The axes name their lines: a legend would cover the lines of the other axis.
    label_panel(rate, "learning rate and drop path", "learning rate, solid", legend=False)
    drop_path = rate.twinx()
    plot_epochs(drop_path, epochs, [record["drop_path_prob"] for record in records], None, SECOND)
    drop_path.spines["top"].set_visible(False)
    drop_path.set_ylabel("drop path probability, dashed", color=SECOND["color"])
    rate.yaxis.label.set_color(FIRST["color"])
    from_zero(drop_path)
    return figure
