"""The figures of a training run and of a genotype hold the numbers of their files."""

import pytest

from nas.png import png_bytes
from nas.report.figures.training_curves import training_figure
from nas.report.run import read_run

PANELS = ("loss", "accuracy", "top5_accuracy", "learning_rate", "drop_path_prob")


@pytest.mark.parametrize("num_epochs", [2, 40])
def test_training_curves_show_the_numbers_of_the_metrics(make_training_dir, num_epochs):
    """Every line has the values of its key, at the epochs after which it was measured."""
    records = read_run(make_training_dir(num_epochs)).metrics
    panels = dict(zip(PANELS, training_figure(records, "DARTS_V2").axes, strict=True))
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


def test_training_without_a_measurement_says_so(make_training_dir):
    """One epoch that nothing was measured after is drawn, and the empty panel says why."""
    records = [
        {key: value for key, value in record.items() if not key.startswith(("test", "val"))}
        for record in read_run(make_training_dir(1)).metrics
    ]
    figure = training_figure(records, "$\\frac{ <b>")
    loss, _, top5, *_ = figure.axes
    assert [line.get_label() for line in loss.lines] == ["train"]
    assert loss.lines[0].get_marker() == "o"
    assert [text.get_text() for text in top5.texts] == ["not measured yet"]
    assert png_bytes(figure).startswith(b"\x89PNG")


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))


def test_a_network_by_name_has_no_drop_path(make_training_dir):
    """The panel of the learning rate has one axis, and one line."""
    records = read_run(make_training_dir(3)).metrics
    for record in records:
        del record["drop_path_prob"]
    axes = training_figure(records, "mobilenext_1.0").axes
    assert len(axes) == len(PANELS) - 1 and axes[-1].get_title() == "learning rate"
    assert [len(line.get_ydata()) for line in axes[-1].lines] == [3]


def test_measures_of_a_training_run_are_drawn(make_training_dir):
    """Each has a panel between those of every training run and the drop path."""
    records = read_run(make_training_dir(3)).metrics
    for record in records:
        record["measures"] = {"gradient_norm": 2.0 * record["epoch"]}
    axes = training_figure(records, "DARTS_V2").axes
    assert axes[4].get_title() == "gradient_norm"
    assert list(axes[4].lines[0].get_ydata()) == [0, 2, 4]
