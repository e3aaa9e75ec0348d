"""The confusion matrix of a classifier as a picture."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nas.report.cells.labels import printable

_MAX_NUMBERED = 20
"""Up to so many classes the counts are written into the matrix."""
MAX_NAMED = 50
"""Up to so many classes their names stand at the axes, else their numbers."""


def confusion_figure(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix: colour is the share of the true class, numbers are images.

    Args:
        confusion: (K, K) images by true class (row) and predicted class (column).
        classes: The K names; untrusted text.

    Returns:
        The figure, with the matrix in its first axes and the scale in its second. A class
        without images has a row of zeros.
    """
    counts = np.array(confusion, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    num_classes = len(classes)
    side = min(2.4 + 0.38 * num_classes, 7 if num_classes > MAX_NAMED else 10)
    figure = Figure(figsize=(side + 0.8, side), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, label="share of the true class (%)", shrink=0.8)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if num_classes <= MAX_NAMED:
        names = [printable(name, 16) for name in classes]
        size = 9 if num_classes <= _MAX_NUMBERED else 7
        axes.set_xticks(range(num_classes), names, rotation=45, ha="right", fontsize=size)
        axes.set_yticks(range(num_classes), names, fontsize=size)
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_parse_math(False)
    if num_classes <= _MAX_NUMBERED:
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 55 else "#222222" if share else "#AAAAAA"
            text = f"{confusion[row][column]}"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
        # White lines between the cells, so that pale neighbours stay apart.
        axes.set_xticks(np.arange(num_classes - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(num_classes - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure
