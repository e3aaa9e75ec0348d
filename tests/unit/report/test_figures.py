"""The figures of a retrain and of a genotype hold the numbers of their files."""

import numpy as np
import pytest

from nas.genotype import Genotype, load_genotype
from nas.png import png_bytes
from nas.report.figures.confusion import confusion_figure
from nas.report.figures.operator_counts import count_operators, operators_figure
from nas.report.figures.palette import style_of
from nas.report.figures.retrain_curves import retrain_figure
from nas.report.html_images import cell_svg
from nas.report.run import read_run
from nas.space import load_space

PANELS = ("loss", "accuracy", "top5_accuracy", "learning_rate", "drop_path_prob")


@pytest.mark.parametrize("num_epochs", [2, 40])
def test_retrain_curves_show_the_numbers_of_the_metrics(make_retrain_dir, num_epochs):
    """Every line has the values of its key, at the epochs after which it was measured."""
    records = read_run(make_retrain_dir(num_epochs)).metrics
    panels = dict(zip(PANELS, retrain_figure(records, "DARTS_V2").axes, strict=True))
    for what in PANELS[:3]:
        lines = {line.get_label(): line for line in panels[what].lines}
        assert set(lines) == {"train", "val", "test"} - ({"train"} if "top5" in what else set())
        for split, line in lines.items():
            expected = [
                (r["epoch"], r[f"{split}_{what}"]) for r in records if f"{split}_{what}" in r
            ]
            assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == expected
    assert len({axes.get_xlim() for axes in panels.values()}) == 1
    for key in PANELS[3:]:
        assert list(panels[key].lines[0].get_ydata()) == [record[key] for record in records]


def test_retrain_without_a_measurement_says_so(make_retrain_dir):
    """One epoch that nothing was measured after is drawn, and the empty panel says why."""
    records = [
        {key: value for key, value in record.items() if not key.startswith(("test", "val"))}
        for record in read_run(make_retrain_dir(1)).metrics
    ]
    figure = retrain_figure(records, "$\\frac{ <b>")
    loss, _, top5, *_ = figure.axes
    assert [line.get_label() for line in loss.lines] == ["train"]
    assert loss.lines[0].get_marker() == "o"
    assert [text.get_text() for text in top5.texts] == ["not measured yet"]
    assert png_bytes(figure).startswith(b"\x89PNG")


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


def test_operators_are_counted_in_the_order_of_the_space():
    """Primitives that no entry uses count zero, and `none` is left out."""
    rows = count_operators(load_genotype("DARTS_V2"), load_space("darts").primitives)
    assert rows == [
        ("max_pool_3x3", 0, 5),
        ("avg_pool_3x3", 0, 0),
        ("skip_connect", 2, 3),
        ("sep_conv_3x3", 5, 0),
        ("sep_conv_5x5", 0, 0),
        ("dil_conv_3x3", 1, 0),
        ("dil_conv_5x5", 0, 0),
    ]
    assert [row[0] for row in count_operators(load_genotype("DARTS_V2"))] == [
        "sep_conv_3x3",
        "skip_connect",
        "dil_conv_3x3",
        "max_pool_3x3",
    ]


def test_bars_have_the_counts_and_the_colours_of_the_families():
    """Two bars an operator: the normal cell solid, the reduction cell hatched."""
    axes = operators_figure(load_genotype("DARTS_V2")).axes[0]
    bars = list(axes.patches)
    assert [bar.get_width() for bar in bars] == [5, 0, 2, 3, 1, 0, 0, 5]
    assert [bar.get_hatch() is not None for bar in bars] == [False, True] * 4
    assert bars[0].get_edgecolor()[:3] == pytest.approx(_rgb(style_of("separable conv").line))
    assert next(label.get_text() for label in axes.get_yticklabels()) == "sep conv 3x3"


def test_inline_cells_hold_a_drawing_and_nothing_else():
    """The SVG has the labels, escaped, and no ids, links, scripts or references outside."""
    label = "<script>alert(1)</script>"
    operators = {"evil": {"label": label, "family": "other"}}
    cell = (((("evil", 0)), ("skip_connect", 1)),)
    drawn = cell_svg(Genotype(cell, (2,), cell, (2,), operators), "normal")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in drawn
    for word in ("<script", "href", "http", " id=", "<title", "<style", "<!"):
        assert word not in drawn
    assert drawn.startswith("<svg ") and 'viewBox="0.00' in drawn
    assert drawn.count("<path") >= 4


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))


def test_a_network_by_name_has_no_drop_path(make_retrain_dir):
    """The panel of the learning rate has one axis, and one line."""
    records = read_run(make_retrain_dir(3)).metrics
    for record in records:
        del record["drop_path_prob"]
    axes = retrain_figure(records, "mobilenext_1.0").axes
    assert len(axes) == len(PANELS) - 1 and axes[-1].get_title() == "learning rate"
    assert [len(line.get_ydata()) for line in axes[-1].lines] == [3]
