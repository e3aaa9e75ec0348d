"""Searches of an experiment, judged by a table of accuracies."""

import json
import statistics

import pytest

from nas.errors import ConfigError, NasError
from nas.experiments.experiment import read_experiment
from nas.experiments.judged import judge_searches
from nas.experiments.plan import plan
from nas.experiments.results import collect
from nas.experiments.table import markdown, write_results
from nas.oracle import read_table
from nas.oracle.chance import best_of
from tests.unit.oracle.conftest import ACCURACIES, ARCHS, write_run_at

CELLS = [arch.replace("x", "skip_connect") for arch in ARCHS]
"""The first is all none, the last all skip."""


@pytest.fixture
def folder(tmp_path):
    """An experiment with two methods and two seeds."""
    rows = [f"{cell},{value}\n" for cell, value in zip(CELLS, ACCURACIES, strict=True)]
    (tmp_path / "table.csv").write_text("".join(["arch,images\n", *rows]))
    (tmp_path / "c.yaml").write_text("epochs: 1\n")
    (tmp_path / "experiment.yaml").write_text(
        "search_config: c.yaml\nspaces: [nasbench201]\nsearch_seeds: [0, 1]\n"
        f"methods: [darts, gdas]\noracle: {{table: {tmp_path / 'table.csv'}}}\n"
    )
    return tmp_path


def make_runs(folder, cells):
    """Write searches that found cells, as many as there are; return experiment and all runs."""
    experiment = read_experiment(folder)
    runs = plan(experiment)
    for run, cell in zip(runs, cells, strict=False):
        write_run_at(run.path, [CELLS[0], cell])
        (run.path / "timing.jsonl").write_text('{"epoch": 0, "time_s": 90}\n')
    return experiment, runs


def test_rows_are_means_over_seeds(folder):
    """Accuracies 80 and 60 of a table whose best is 80; one of two cells is all skip."""
    _, runs = make_runs(folder, [CELLS[7], CELLS[5]])
    table = read_table(folder / "table.csv")
    text = "\n".join(judge_searches(table, runs).markdown())
    deviation = statistics.stdev([80, 60])
    budget = next(k for k in range(1, 99) if best_of(table.ordered, k).mean >= 70)
    assert (
        f"| `darts in nasbench201` | 2 | 70.00 ± {deviation:.2f} | 60.00 | 75.0 | 10.00 | {budget} "
        "| 2.5 | 0.5 | 1 of 2 | 1.5 |"
    ) in text
    assert "gdas" not in text  # nothing of it is finished
    mean, std = statistics.fmean(ACCURACIES), statistics.pstdev(ACCURACIES)
    assert f"| a random cell | exact | {mean:.2f} ± {std:.2f} |" in text


def test_results_hold_what_was_judged(folder):
    """Each search with its cell, a picture, and no empty table of trainings."""
    experiment, runs = make_runs(folder, [CELLS[7], CELLS[5], CELLS[3]])
    judged = judge_searches(read_table(folder / "table.csv"), runs)
    rows = collect(experiment, runs)
    paths = write_results(experiment, runs, rows, judged)
    assert [path.name for path in paths] == ["results.json", "results.md", "regret.png"]
    found = json.loads(paths[0].read_text())["judged"]
    assert [one["accuracy"] for one in found["searches"]] == [80, 60, 30]
    assert [one["group"] for one in found["groups"]] == [
        "darts in nasbench201",
        "gdas in nasbench201",
    ]
    assert "test error" not in markdown(experiment, runs, rows, judged)
    assert "test error" in markdown(experiment, runs, rows)


def test_a_cell_that_is_not_in_the_table_is_named(folder):
    _, runs = make_runs(folder, [CELLS[7].replace("skip_connect", "nor_conv_1x1")])
    with pytest.raises(NasError, match="unknown operator 'nor_conv_1x1'"):
        judge_searches(read_table(folder / "table.csv"), runs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("oracle: table.csv", "oracle: expected `table` and perhaps `dataset`"),
        ("oracle: {dataset: a}", "oracle: expected `table`"),
        ("oracle: {table: a, column: b}", "oracle: expected `table`"),
        ("oracle: {table: 3}", "oracle: table: expected text, found 3"),
    ],
)
def test_a_bad_oracle_is_an_error(folder, line, message):
    path = folder / "experiment.yaml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], line]))
    with pytest.raises(ConfigError, match=message):
        read_experiment(folder)


def test_an_oracle_needs_searches(folder):
    (folder / "experiment.yaml").write_text(
        "augment_config: c.yaml\ngenotypes: [DARTS_V2]\naugment_seeds: [0]\noracle: {table: t}\n"
    )
    with pytest.raises(ConfigError, match="`oracle` judges searches"):
        read_experiment(folder)
