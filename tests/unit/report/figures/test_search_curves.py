"""The curves of a search show the numbers of its metrics."""

import math
from itertools import combinations

import pytest
from matplotlib.transforms import Bbox

from nas.png import png_bytes
from nas.report.figures.search_curves import curves_figure
from nas.report.html import write_report
from nas.report.run import read_run
from nas.space import load_space

PANELS = ("loss", "accuracy", "entropy", "num_skips", "size", "learning_rate", "madds")


def _curves(run_dir) -> dict:
    figure = curves_figure(read_run(run_dir).metrics, load_space(run_dir / "space.yaml"))
    return dict(zip(PANELS, figure.axes, strict=True))


def test_curves_show_the_numbers_of_the_metrics(make_run_dir):
    """Every line of curves.png holds the numbers of metrics.jsonl over their epochs."""
    run_dir = make_run_dir(50)
    records = read_run(run_dir).metrics
    panels = _curves(run_dir)
    expected = {
        ("loss", 0): [record["train_loss"] for record in records],
        ("loss", 1): [record["val_loss"] for record in records],
        ("accuracy", 0): [record["train_accuracy"] for record in records],
        ("accuracy", 1): [record["val_accuracy"] for record in records],
        ("entropy", 0): [record["entropy"]["normal"] for record in records],
        ("entropy", 1): [record["entropy"]["reduce"] for record in records],
        ("num_skips", 0): [record["num_skips"]["normal"] for record in records],
        ("num_skips", 1): [record["num_skips"]["reduce"] for record in records],
        ("size", 0): [record["num_parameters"] / 1e6 for record in records],
        ("madds", 0): [record["madds"] / 1e6 for record in records],
        ("learning_rate", 0): [record["learning_rate"] for record in records],
    }
    for (panel, index), values in expected.items():
        line = panels[panel].lines[index]
        assert list(line.get_xdata()) == list(range(50))
        assert list(line.get_ydata()) == values
        low, high = panels[panel].get_ylim()
        assert low < min(values) and max(values) < high
    assert [line.get_label() for line in panels["loss"].lines] == ["train", "val"]
    assert [line.get_label() for line in panels["num_skips"].lines] == ["normal", "reduce"]


def test_entropy_of_uniform_weights_is_marked(make_run_dir):
    """The entropy panel marks ln(P), which uniform weights over P primitives have."""
    uniform = _curves(make_run_dir(2, "darts"))["entropy"].lines[2]
    assert uniform.get_label() == "uniform"
    assert list(uniform.get_ydata()) == pytest.approx([math.log(8)] * 2)


def test_entropy_of_uniform_weights_falls_with_the_operators(make_run_dir):
    """A second stage that keeps two of eight operators has ln(2) at most."""
    run_dir = make_run_dir(4, "darts")
    records = read_run(run_dir).metrics
    for record in records:
        pruned = record["epoch"] >= 2
        weights = [[0.0] * 6 + [0.5] * 2 if pruned else [0.125] * 8 for _ in range(14)]
        alphas = [[0.0] * 6 + [0.1] * 2 if pruned else [0.1] * 8 for _ in range(14)]
        record["arch_weights"] = {"normal": weights, "reduce": weights}
        record["alphas"] = {"normal": alphas, "reduce": alphas}
    uniform = curves_figure(records, load_space("darts")).axes[2].lines[2]
    assert uniform.get_label() == "uniform"
    assert list(uniform.get_xdata()) == [0, 1, 2, 3]
    expected = [math.log(8)] * 2 + [math.log(2)] * 2
    assert list(uniform.get_ydata()) == pytest.approx(expected)


def test_one_epoch_is_visible(make_run_dir):
    """A single epoch is drawn as a marker over one whole number of the axis."""
    for axes in _curves(make_run_dir(1)).values():
        assert axes.lines[0].get_marker() not in (None, "None", "")
        assert axes.get_xlim() == (-0.5, 0.5)
        inside = [tick for tick in axes.get_xticks() if -0.5 <= tick <= 0.5]
        assert inside == [0]


def test_text_of_a_space_is_not_read_as_mathematics(make_run_dir):
    """A space whose name has dollar signs is drawn all the same."""
    run_dir = make_run_dir(1, "s2")
    path = run_dir / "space.yaml"
    path.write_text(path.read_text().replace("name: s2", 'name: "$\\\\frac{$ $"'))
    assert "frac" in load_space(path).name
    assert write_report(run_dir).is_file()


def test_every_measure_has_a_panel(make_run_dir):
    """Whatever numbers a method logs are drawn, at the epochs that have them."""
    run_dir = make_run_dir(4)
    records = read_run(run_dir).metrics
    names = ["tau", "hessian eigenvalue", "$\\frac{ <b>", "late"]
    for record in records:
        record["measures"] = {name: record["epoch"] + 0.5 for name in names[:3]}
    records[3]["measures"]["late"] = 7.0
    figure = curves_figure(records, load_space(run_dir / "space.yaml"))
    assert len(figure.axes) == len(PANELS) + len(names)
    panels = {axes.get_title(): axes for axes in figure.axes}
    for name in names[:3]:
        (line,) = panels[name].lines
        assert list(line.get_xdata()) == [0, 1, 2, 3]
        assert list(line.get_ydata()) == [0.5, 1.5, 2.5, 3.5]
    assert list(panels["late"].lines[0].get_xdata()) == [3]
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_groups_and_entries_are_lines_of_one_panel(make_run_dir):
    """NAME/GROUP, the numbers of the collapse guard and the betas of a method."""
    run_dir = make_run_dir(2)
    records = read_run(run_dir).metrics
    for record in records:
        epoch = record["epoch"]
        record["measures"] = {"margin/normal": epoch + 0.25, "margin/reduce": epoch + 0.5}
        record["collapse"] = {"max_weight": {"normal": 0.1, "reduce": 0.2 * epoch}}
        record["extra_alphas"] = {"normal_beta": [0.5, epoch, 2.5]}
    figure = curves_figure(records, load_space(run_dir / "space.yaml"))
    panels = {axes.get_title(): axes for axes in figure.axes}
    margin = panels["margin"]
    assert [line.get_label() for line in margin.lines] == ["normal", "reduce"]
    assert [list(line.get_ydata()) for line in margin.lines] == [[0.25, 1.25], [0.5, 1.5]]
    largest = panels["largest weight of an edge"].lines
    assert [list(line.get_ydata()) for line in largest] == [[0.1, 0.1], [0.0, 0.2]]
    betas = panels["raw normal_beta"].lines
    assert [list(line.get_ydata()) for line in betas] == [[0.5, 0.5], [0, 1], [2.5, 2.5]]


def test_panels_do_not_overlap(make_run_dir):
    """Each with its labels, and with the second axis that it may have; the title is above all."""
    figure = curves_figure(read_run(run := make_run_dir(1)).metrics, load_space(run / "space.yaml"))
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    *panels, madds = boxes
    panels[PANELS.index("size")] = Bbox.union([panels[PANELS.index("size")], madds])
    for one, two in combinations([*panels, figure._suptitle.get_window_extent()], 2):
        assert Bbox.intersection(one, two) is None
    whole = Bbox.union(panels)
    assert whole.x0 > 0 and whole.y0 > 0 and whole.x1 < figure.bbox.x1
