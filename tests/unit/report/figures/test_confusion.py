"""The picture of a confusion matrix."""

import numpy as np
import pytest

from nas.png import png_bytes
from nas.report.figures.confusion import confusion_figure


def test_confusion_matrix_shows_shares_and_counts():
    """Colours are percent of a row, a class without images is zero, numbers are images."""
    figure = confusion_figure([[30, 10, 0], [0, 5, 5], [0, 0, 0]], ["ant", "bee", "cow"])
    axes = figure.axes[0]
    shares = np.asarray(axes.images[0].get_array())
    assert shares.tolist() == [[75, 25, 0], [0, 50, 50], [0, 0, 0]]
    assert [text.get_text() for text in axes.texts] == ["30", "10", "0", "0", "5", "5", *"000"]
    assert [label.get_text() for label in axes.get_yticklabels()][:3] == ["ant", "bee", "cow"]


@pytest.mark.parametrize("num_classes", [1, 10, 21, 100])
def test_confusion_matrix_of_any_size_is_drawn(num_classes):
    """Names of any script and with dollar signs are drawn without a warning."""
    names = ["$\\frac{", "<script>", "\u732b\x00", *map(str, range(97))][:num_classes]
    picture = png_bytes(confusion_figure(np.eye(num_classes, dtype=int).tolist(), names))
    assert picture.startswith(b"\x89PNG")


def labels_of(names):
    figure = confusion_figure(np.eye(len(names), dtype=int).tolist(), names)
    axes = figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [label.get_text() for label in axes.get_xticklabels()]
    return figure, labels


@pytest.mark.parametrize(
    "names",
    [
        ["european_honey_bee_worker_summer", "european_honey_bee_worker_winter"],
        ["x" * 200 + middle + "y" * 200 for middle in "abc"],
        [f"{'class_with_a_long_common_name_'}{index}" for index in range(50)],
        ["a\x00", "a\x01", "a\x02"],
        ["", " ", "  "],
    ],
)
def test_labels_are_never_cut_to_the_same_text(names):
    """Different classes have different labels, however long their common part is."""
    figure, labels = labels_of(names)
    assert len(set(labels)) == len(names)
    assert all(len(label) <= 24 for label in labels)
    assert png_bytes(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("num_classes", [2, 10, 50])
def test_long_names_leave_the_matrix_its_room(num_classes):
    """The matrix is as large as without them; the figure grows instead."""

    def matrix(names):
        figure, _ = labels_of(names)
        png_bytes(figure)  # the layout is made when it is drawn
        box = figure.axes[0].get_position()
        return box.width * figure.get_figwidth()

    short = matrix([str(index) for index in range(num_classes)])
    long = matrix([f"a long name of a class {index}" for index in range(num_classes)])
    assert long > 0.85 * short
