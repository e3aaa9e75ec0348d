"""The confusion matrix of a classifier as a picture."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from nas.report.cells.labels import distinct

_MAX_NUMBERED = 20
"""The counts are written into the matrix up to this number of classes."""
MAX_NAMED = 50
"""The axes have the names of the classes up to this number of them, else their numbers."""
_MAX_LABEL = 24
"""Characters of a name at an axis."""


def confusion_figure(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix: color is the share of the true class, numbers are images.

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
    names = distinct(classes, _MAX_LABEL) if num_classes <= MAX_NAMED else []
    fontsize = 9 if num_classes <= _MAX_NUMBERED else 7
    # Inches: the matrix, and the names next to it and, at 45 degrees, under it.
    side = max(1.6, min(0.38 * num_classes, 7))
    label = max(map(len, names), default=3) * fontsize * 0.009
    size = (side + label + 1.9, side + 0.75 * label + 0.9)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, label="share of the true class (%)", shrink=0.8)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if names:
        axes.set_xticks(
            range(num_classes),
            names,
            rotation=45,
            ha="right",
            rotation_mode="anchor",
            fontsize=fontsize,
        )
        axes.set_yticks(range(num_classes), names, fontsize=fontsize)
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            text.set_parse_math(False)
    if num_classes <= _MAX_NUMBERED:
        for (row, column), share in np.ndenumerate(shares):
            color = "white" if share > 55 else "#222222" if share else "#AAAAAA"
            number = f"{confusion[row][column]}"
            axes.text(column, row, number, ha="center", va="center", color=color, fontsize=8)
        # White lines between the cells, so that pale neighbors are told apart.
        axes.set_xticks(np.arange(num_classes - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(num_classes - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    return figure
