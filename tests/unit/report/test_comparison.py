"""comparison.html: runs beside each other."""

import json
from pathlib import Path

import pytest

from nas.errors import ReportError
from nas.report.comparison import different_settings, distinct_names, write_comparison
from nas.report.figures.comparison_curves import comparison_figure
from nas.report.run import Run, read_run
from tests.unit.report.pages import Page


@pytest.fixture
def trainings(make_training_dir):
    """Two finished training runs that differ in their seed, and one in progress."""
    dirs = [make_training_dir(4, f"seed{seed}", seed=seed) for seed in (0, 1)]
    dirs.append(make_training_dir(3, "going on", epochs=9, eval_interval=3))
    (dirs[2] / "evaluation.json").unlink()
    return dirs


def _rows(page: Page) -> dict[str, list[str]]:
    """Return the cells of the table of results by run."""
    texts = page.texts[page.texts.index("time") + 1 :]
    return {texts[place]: texts[place + 1 : place + 11] for place in range(0, 33, 11)}


def test_runs_stand_side_by_side(trainings, make_search_dir, tmp_path):
    """A row a run with its facts; what a kind does not have is blank, and that is said."""
    search = make_search_dir(3)
    out = write_comparison([trainings[0], search, trainings[2]], tmp_path / "new" / "compared.html")
    assert out == tmp_path / "new" / "compared.html"
    page = Page(out)
    page.check_is_self_contained()
    assert page.headings == ["results", "curves", "cells", "settings"]
    rows = {
        name: [text.replace("\N{NO-BREAK SPACE}", " ") for text in row]
        for name, row in _rows(page).items()
    }
    assert rows == {
        "seed0": [
            *("training", "cifar10", "DARTS_V2", "0", "4 of 4", "83.00 %", "56.00 %"),
            *("3,331", "1,054,768", "6 min 42 s"),
        ],
        "run": [
            *("search", "shapes", "darts", "7", "3 of 3", "–", "12.40 %"),  # noqa: RUF001
            *("3,351,342", "528,159,040", "30.0 s"),
        ],
        "going on": [
            *("training", "cifar10", "DARTS_V2", "0", "3 of 9", "52.00 % (epoch 2)", "51.00 %"),
            *("3,331", "1,054,768", "5 min 02 s"),
        ],
    }
    assert "a dash marks a missing value" in page.text
    assert "it never reads the test images" in page.text
    assert "evaluation.json is not there yet" in page.text


@pytest.mark.usefixtures("blank_pictures")
def test_the_guard_of_searches(make_search_dir, trainings, tmp_path):
    """A row for each search that has the numbers, with those of its last epoch."""
    search = make_search_dir(2)
    lines = [json.loads(line) for line in (search / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line["num_skips"] = {"normal": 2, "reduce": 3}
        line["collapse"] = {
            "edge_margin": {"normal": line["epoch"] + 0.25, "reduce": 0.5},
            "parameter_free": {"normal": 0.25, "reduce": 1.0},
            "max_weight": {"normal": 0.125, "reduce": 0.5},
        }
    (search / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = Page(write_comparison([search, trainings[0]], tmp_path / "c.html"))
    assert "decided" in page.headings
    for text in ("2 / 3", "1.2500 / 0.5000", "25% / 100%", "0.125 / 0.500"):
        assert text in page.texts


@pytest.mark.usefixtures("blank_pictures")
def test_equal_cells_are_drawn_once(trainings, tmp_path):
    """Runs of one genotype share a drawing, under all their names."""
    page = Page(write_comparison(trainings, tmp_path / "c.html"))
    assert [name for name, _ in page.tags].count("svg") == 2
    assert "seed0, seed1, going on" in page.texts


def test_curves_lie_over_each_other(trainings, make_search_dir):
    """A row of panels a kind, a line a run, with the numbers of its metrics."""
    runs = [read_run(path) for path in (*trainings, make_search_dir(3))]
    figure = comparison_figure(runs, ["a", "b", "c", "d"])
    panels = {axes.get_title(): axes for axes in figure.axes}
    assert len(panels) == 6
    assert len({axes.get_xlim() for axes in figure.axes[3:]}) == 1  # whatever was measured
    train = {line.get_label(): line for line in panels["train loss"].lines}
    assert set(train) == {"a", "b", "c"}
    assert list(train["c"].get_ydata()) == [record["train_loss"] for record in runs[2].metrics]
    test = {line.get_label(): line for line in panels["test accuracy, top-1"].lines}
    assert list(test["a"].get_xdata()) == [1, 3] and list(test["c"].get_xdata()) == [2]
    (supernet,) = panels["val accuracy of the supernet"].lines
    assert supernet.get_label() == "d"
    assert list(supernet.get_ydata()) == [record["val_accuracy"] for record in runs[3].metrics]
    assert len({line.get_color() for line in train.values()} | {supernet.get_color()}) == 4


def test_runs_without_an_epoch_have_no_curves(tmp_path):
    """Where no run has begun there is no figure; a run that has is drawn alone."""
    begun = Run(tmp_path, "training")
    assert comparison_figure([begun, begun], ["a", "b"]) is None


def test_settings_that_differ_are_listed(trainings, make_search_dir):
    """Only settings in which runs that have them differ; never where a run lies."""
    runs = [read_run(path) for path in trainings]
    assert different_settings(runs) == [("seed", ["0", "1", "0"]), ("epochs", ["4", "4", "9"])]
    keys = [key for key, _ in different_settings([runs[0], read_run(make_search_dir())])]
    assert keys == ["space", "dataset", "seed", "epochs"]


def test_names_tell_runs_apart():
    """As few parts of the paths as are needed, counted from the end."""
    assert distinct_names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]
    assert distinct_names([Path("/x/a/s0"), Path("/x/b/s0")]) == ["a/s0", "b/s0"]
    assert distinct_names([Path("/a/s0"), Path("/b/s0"), Path("/b/s1")]) == ["a/s0", "b/s0", "b/s1"]


def test_text_of_files_is_escaped(make_training_dir, tmp_path):
    """Markup in names and settings is only text."""
    evil = "<script>x</script>"
    runs = [make_training_dir(1, "<b onclick=x>", genotype=evil), make_training_dir(1, "$\\frac{")]
    page = Page(write_comparison(runs, tmp_path / "c.html"))
    page.check_is_self_contained()
    assert evil in page.texts and "<b onclick=x>" in page.texts


@pytest.mark.usefixtures("blank_pictures")
def test_a_model_without_cells_is_compared(make_training_dir, tmp_path):
    """A run that trained no genotype stands in the table, and a line says that it has no cells."""
    runs = [make_training_dir(1, "a"), make_training_dir(1, "b", genotype=None, model="mobilenext")]
    (runs[1] / "genotype.json").unlink()
    page = Page(write_comparison(runs, tmp_path / "c.html"))
    assert "mobilenext" in page.texts
    assert ": it has no genotype.json, so no cells are drawn." in page.texts
    assert [name for name, _ in page.tags].count("svg") == 2


def test_one_run_twice_is_no_comparison(trainings, tmp_path):
    """A single run, or one that is named twice, is an error, and nothing is written."""
    for paths in (trainings[:1], [trainings[0], trainings[0] / ".." / "seed0"]):
        with pytest.raises(ReportError, match="at least two run directories"):
            write_comparison(paths, tmp_path / "c.html")
    assert not (tmp_path / "c.html").exists()
