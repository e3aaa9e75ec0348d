"""The curves of a detector: losses and mAP over iterations, precision over recall."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from nas.detection_record import DetectionEvaluation
from nas.report.cells.labels import distinct, printable
from nas.report.figures.axes import from_zero, label_panel, plot_epochs, spaced_figure
from nas.report.figures.style import FIRST, SECOND, THIRD

_LOSSES = {"train_loss": "sum", "train_class_loss": "class", "train_box_loss": "box"}
_MEANS = {
    "test_map_11": "VOC 2007, 11 points",
    "test_map_area": "VOC 2010, area",
    "test_map_coco": "COCO, 0.5 to 0.95",
}
_LOOKS = (FIRST, SECOND, THIRD)
_MAX_NAMED = 10


def detection_figure(records: Sequence[Mapping[str, Any]], model: str) -> Figure:
    """Draw losses, mAP and learning rate of a training.

    Args:
        records: The metrics of the training, which `check_detection_record` has checked.
        model: The name of the detector, for the title; untrusted text.
    """
    figure = spaced_figure(13, 3.6)
    figure.suptitle(f"training of {printable(model, 60)}", fontsize=14, parse_math=False)
    iterations = [record["iteration"] for record in records]
    loss, means, rate = (figure.add_subplot(1, 3, place) for place in (1, 2, 3))
    for axes, names in ((loss, _LOSSES), (means, _MEANS)):
        for (key, label), look in zip(names.items(), _LOOKS, strict=True):
            plot_epochs(axes, iterations, [record[key] for record in records], label, look)
        from_zero(axes)
    plot_epochs(rate, iterations, [record["learning_rate"] for record in records], None, FIRST)
    from_zero(rate)
    label_panel(loss, "training loss", "loss of a matched prior")
    label_panel(means, "mAP on test images", "mAP (%)")
    label_panel(rate, "learning rate", "learning rate", legend=False)
    for axes in (loss, means, rate):
        axes.set_xlabel("iteration")
    return figure


def precision_recall_figure(evaluation: DetectionEvaluation) -> Figure:
    """Draw the best precision at each recall, with a line for each class with objects."""
    curves = [
        (name, curve)
        for name, curve in zip(
            distinct(list(evaluation.classes), 30), evaluation.curves, strict=True
        )
        if curve is not None
    ]
    figure = spaced_figure(6.5, 4.2)
    axes = figure.add_subplot()
    for (name, curve), look in zip(curves, cycle(_LOOKS)):
        recalls = [index / (len(curve) - 1) for index in range(len(curve))]
        axes.plot(recalls, curve, label=name, linestyle=look["linestyle"])
    label_panel(axes, "precision and recall at IoU 0.5", "best precision", legend=False)
    axes.set_xlabel("recall")
    axes.xaxis.set_major_locator(MultipleLocator(0.2))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    if 0 < len(curves) <= _MAX_NAMED:
        for text in axes.legend(fontsize=9).get_texts():
            text.set_parse_math(False)
    return figure
